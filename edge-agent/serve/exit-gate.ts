/**
 * Keeps a process from exiting while its worker thread is inside native code. Ending a thread there makes ONNX
 * Runtime's binding throw where nothing can catch it, and the process dies of SIGABRT instead of with its exit code.
 * The two threads share two flags, and each writes its own before it reads the other's, so one of them always sees.
 */
const FLAG = { busy: 0, closed: 1 };

export class ExitGate {
  /** What the other side makes its gate from. */
  readonly memory: SharedArrayBuffer;
  readonly #flags: Int32Array;

  /** `memory` is the other side's; without it, new. */
  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#flags = new Int32Array(memory);
  }

  /** In the worker: does `action`, which may enter native code. Never returns once the gate is closed. */
  async during<Result>(action: () => Promise<Result>): Promise<Result> {
    Atomics.store(this.#flags, FLAG.busy, 1);
    // Waiting is a state in which a thread can be ended.
    if (Atomics.load(this.#flags, FLAG.closed) === 1) this.#park();
    try {
      return await action();
    } finally {
      this.#leave();
    }
  }

  /** In the main thread, which it blocks: waits until the worker is outside, at most `timeoutMs`, and keeps it there. */
  close(timeoutMs: number): void {
    Atomics.store(this.#flags, FLAG.closed, 1);
    Atomics.wait(this.#flags, FLAG.busy, 1, timeoutMs);
  }

  #leave(): void {
    Atomics.store(this.#flags, FLAG.busy, 0);
    Atomics.notify(this.#flags, FLAG.busy);
  }

  #park(): never {
    this.#leave();
    for (;;) Atomics.wait(this.#flags, FLAG.closed, 1);
  }
}
