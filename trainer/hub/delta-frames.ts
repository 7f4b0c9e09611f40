/**
 * Deltas as frames that many sockets share: stored ones, squashed ones, and the one that has just been published, which
 * alone is live and carries the trace of its publish.
 */
import { assert } from '@freshet/protocol/assert';
import { formatsOfPayload } from '@freshet/protocol/delta-payload';
import type { Position, WeightsVersion } from '@freshet/protocol/ids';
import type { Model } from '@freshet/protocol/model';
import type { ValueFormat } from '@freshet/protocol/payload/value-format';
import type { VersionLog } from '../history/version-log.ts';
import type { StoredDelta } from '../history/version-log-rows.ts';
import { encodeDeltaFrame } from './frame.ts';
import type { Signer } from './signer.ts';

/** One frame that leads from one version to `position`: read only, it is shared with other sessions. */
export interface FrameTransfer {
  readonly kind: 'frame';
  readonly traffic: 'delta' | 'squash';
  readonly position: Position;
  readonly frame: Buffer;
  /** Of the values in it. */
  readonly formats: readonly ValueFormat[];
}

/** A version that is being published. */
export interface Announcement {
  readonly version: WeightsVersion;
  readonly traceparent: string | null;
}

export class DeltaFrames {
  readonly #log: VersionLog;
  readonly #signer: Signer;
  #announced: Announcement | null = null;
  /** Of the announced version; made when it is first asked for. */
  #live: FrameTransfer | null = null;

  constructor(log: VersionLog, signer: Signer) {
    this.#log = log;
    this.#signer = signer;
  }

  /**
   * From here to `settle`, the delta to `version`, the head, is live. `traceparent`: W3C trace context of the publish,
   * as hex digits without dashes.
   */
  announce(version: WeightsVersion, traceparent: string | null): void {
    this.#announced = { version, traceparent };
    this.#live = null;
  }

  /** All who were there at the publish have been served: who comes now is catching up. */
  settle(): void {
    this.#announced = null;
    this.#live = null;
  }

  /** What is being published, where it is the version after `base`. */
  announcedAfter(base: WeightsVersion): Announcement | null {
    return this.#announced?.version === base + 1 ? this.#announced : null;
  }

  /** The delta that is being published, where it is the one that follows `base`; else null. */
  live(base: WeightsVersion): FrameTransfer | null {
    const announced = this.announcedAfter(base);
    if (announced === null) return null;
    this.#live ??= this.#encodeStored(base, announced);
    return this.#live;
  }

  /** The delta that follows `base`, or null when the log no longer holds it. A new frame. */
  stored(base: WeightsVersion): FrameTransfer | null {
    return this.#encodeStored(base, null);
  }

  /** A new frame with one delta from `base` to `position`; live where that was `announced` when it was asked for. */
  squashed(
    base: WeightsVersion,
    position: Position,
    payload: Uint8Array,
    announced: Announcement | null = null,
  ): FrameTransfer {
    const isLive = announced?.version === position.version;
    const delta = { base, next: position.version, root: position.root, payload };
    return this.#encode('squash', delta, isLive ? announced : null);
  }

  #encodeStored(base: WeightsVersion, announced: Announcement | null): FrameTransfer | null {
    const stored = this.#log.deltaAfter(base);
    return stored === null ? null : this.#encode('delta', stored, announced);
  }

  #encode(
    traffic: FrameTransfer['traffic'],
    { base, next, root, payload }: StoredDelta,
    announced: Announcement | null,
  ): FrameTransfer {
    const model = this.#model();
    const position = { version: next, root };
    const frame = encodeDeltaFrame(model.digest, {
      base,
      next,
      proof: this.#signer.prove(model.digest, position),
      payload,
      trafficClass: announced === null ? 'catch-up' : 'live',
      traceparent: announced?.traceparent ?? null,
    });
    return { kind: 'frame', traffic, position, frame, formats: formatsOfPayload(payload, model) };
  }

  #model(): Model {
    const model = this.#log.model();
    assert(model !== null, 'a log with a head has a model');
    return model;
  }
}
