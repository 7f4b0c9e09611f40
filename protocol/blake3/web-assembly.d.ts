/** The part of the WebAssembly API that is used here: neither the language's nor Node.js's types declare it. */
declare namespace WebAssembly {
  /** @throws CompileError for bytes that are no valid module */
  class Module {
    constructor(bytes: Uint8Array);
  }

  class Memory {
    constructor(pages: { readonly initial: number });
    readonly buffer: ArrayBuffer;
  }

  class Instance {
    constructor(module: Module, imports: Readonly<Record<string, Readonly<Record<string, Memory>>>>);
    readonly exports: Readonly<Record<string, unknown>>;
  }
}
