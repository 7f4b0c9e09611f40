/**
 * Labelled samples between a device and its hub: what the hub says a sample looks like, and a sample as it travels.
 */
import type { SampleId } from './ids.ts';
import { FEEDBACK_SAMPLE_BYTES_MAX } from './limits.ts';
import type { DownstreamMessage, MessageNamed, UpstreamMessage } from './messages.ts';
import {
  checkSample,
  inputElementCount,
  type Sample,
  type SampleFormat,
  type SampleProblem,
} from './sample-format.ts';

export type WireSample = MessageNamed<UpstreamMessage, 'feedback'>['samples'][number];

/** The message that announces `format`. */
export function samplesMessage(format: SampleFormat): MessageNamed<DownstreamMessage, 'samples'> {
  const { inputShape, inputType, target } = format;
  const targetCount = target.kind === 'class' ? target.classCount : target.elementCount;
  return { type: 'samples', inputShape, inputType, targetKind: target.kind, targetCount };
}

/** The format that `message` announces. */
export function formatOfMessage(message: MessageNamed<DownstreamMessage, 'samples'>): SampleFormat {
  const { inputShape, inputType, targetKind, targetCount } = message;
  const target =
    targetKind === 'class'
      ? ({ kind: 'class', classCount: targetCount } as const)
      : ({ kind: 'vector', elementCount: targetCount } as const);
  return { inputShape, inputType, target };
}

/** Bytes of input and target of any sample of `format`, a class counting four. */
export function sampleByteCount(format: SampleFormat): number {
  return inputByteCount(format) + targetByteCount(format);
}

/** Why no sample of `format` can be sent, or null. */
export function tooLargeToSend(format: SampleFormat): string | null {
  const byteCount = sampleByteCount(format);
  if (byteCount <= FEEDBACK_SAMPLE_BYTES_MAX) return null;
  return (
    `a sample of this model has ${byteCount} bytes, and a device can send ${FEEDBACK_SAMPLE_BYTES_MAX} at most: ` +
    'send it to the trainer itself, POST /api/v1/samples'
  );
}

/** `sample`, which is one of its format, as it travels: input and target are views on the arrays of `sample`. */
export function wireSampleOf(id: SampleId, { input, target }: Sample): WireSample {
  return { id, input: bytesOf(input), target: typeof target === 'number' ? target : bytesOf(target) };
}

/**
 * The sample that came as `wire`, or what is wrong with it. Arrays of bytes are views on those of `wire`, arrays of
 * floats are copies.
 */
export function readWireSample(
  format: SampleFormat,
  { input, target }: Pick<WireSample, 'input' | 'target'>,
): Sample | SampleProblem {
  const inputBytes = inputByteCount(format);
  if (input.length !== inputBytes) {
    return { field: 'input', reason: `has ${input.length} bytes; it has to have ${inputBytes}` };
  }
  const elements = format.inputType === 'uint8' ? input : floatsOf(input);
  if (format.target.kind === 'class') {
    if (typeof target !== 'number') {
      return { field: 'target', reason: 'is not for this model: give "label"' };
    }
    return checkSample(format, { input: elements, label: target }) ?? { input: elements, target };
  }
  if (typeof target === 'number') return { field: 'label', reason: 'is not for this model: give "target"' };
  const targetBytes = targetByteCount(format);
  if (target.length !== targetBytes) {
    return { field: 'target', reason: `has ${target.length} bytes; it has to have ${targetBytes}` };
  }
  const vector = floatsOf(target);
  return checkSample(format, { input: elements, target: vector }) ?? { input: elements, target: vector };
}

/** Whether every sample of `before` means the same as one of `after`, classes that are out of range left aside. */
export function isCompatible(before: SampleFormat, after: SampleFormat): boolean {
  const withoutClasses = ({ inputShape, inputType, target }: SampleFormat) =>
    JSON.stringify([
      inputShape,
      inputType,
      target.kind,
      target.kind === 'class' ? null : target.elementCount,
    ]);
  return withoutClasses(before) === withoutClasses(after);
}

function inputByteCount(format: SampleFormat): number {
  return inputElementCount(format) * (format.inputType === 'uint8' ? 1 : Float32Array.BYTES_PER_ELEMENT);
}

function targetByteCount({ target }: SampleFormat): number {
  return Float32Array.BYTES_PER_ELEMENT * (target.kind === 'class' ? 1 : target.elementCount);
}

function bytesOf(array: Uint8Array | Float32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Copied, because a message's bytes lie anywhere. */
function floatsOf(bytes: Uint8Array): Float32Array {
  return new Float32Array(new Uint8Array(bytes).buffer);
}
