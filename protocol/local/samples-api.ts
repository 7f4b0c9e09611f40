/** POST /api/v1/samples of the trainer, and POST /v1/feedback of a device, as their clients see them. */
import type { ErrorCode } from '../errors.ts';

export const SAMPLES_PATH = '/api/v1/samples';

/** On a device: into the queue of samples that are sent to the hub. */
export const FEEDBACK_PATH = '/v1/feedback';

export interface SamplesAnswer {
  readonly taken: number;
  /** Had been taken before. */
  readonly duplicates: number;
  /** Samples that wait now, these included: to be trained on, or on a device to be sent. */
  readonly waiting: number;
}

export interface RefusedSample {
  /** In the request, from 0. */
  readonly index: number;
  readonly field: string;
  /** What is wrong with the field and what belongs there; follows the field's name in a sentence. */
  readonly reason: string;
}

export interface SamplesRefusal {
  readonly error: string;
  readonly code: ErrorCode;
  /** Every sample that is not good, where that is the reason. */
  readonly refused?: readonly RefusedSample[];
}

/** About what a thousand of MNIST's digits are in JSON. Parsing it keeps the sockets waiting for some 50 ms. */
export const SAMPLES_BODY_BYTES_MAX = 8 * 1024 * 1024;
export const SAMPLES_PER_REQUEST_MAX = 1000;
