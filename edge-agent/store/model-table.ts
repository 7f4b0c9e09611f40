/** The one model of a store and the line of versions it follows. Written once, before the first version. */
import { FreshetError } from '@freshet/protocol/errors';
import { asLineId, type LineId } from '@freshet/protocol/ids';
import { checkTensors, type Model, makeModel } from '@freshet/protocol/model';
import type { TensorLayout } from '@freshet/protocol/onnx-layout';
import type { StoreDatabase } from './store-database.ts';
import { corruptStore } from './store-errors.ts';

export interface StoreIdentity {
  readonly lineId: LineId;
  readonly model: Model;
}

/**
 * The stored identity, or null in a store without a model.
 * @throws STORE_CORRUPT when name and graph have another digest than was put in, or the tensors are not those of the graph
 */
export function readIdentity({ connection, path }: StoreDatabase): StoreIdentity | null {
  const row = connection
    .prepare<[], { line_id: string; model_id: string; digest: string; graph: Buffer }>(
      'SELECT line_id, model_id, digest, graph FROM model',
    )
    .get();
  if (row === undefined) return null;
  const model = makeModel(row.model_id, readTensors(connection), new Uint8Array(row.graph));
  if (model.digest !== row.digest) throw corruptStore(path, 'the stored model has another digest');
  try {
    checkTensors(model);
  } catch (cause) {
    if (!(cause instanceof FreshetError)) throw cause;
    throw corruptStore(path, `the stored tensors do not fit the stored model: ${cause.message}`, cause);
  }
  return { lineId: asLineId(row.line_id), model };
}

/** Stores the identity; part of the caller's transaction. */
export function insertIdentity({ connection }: StoreDatabase, { lineId, model }: StoreIdentity): void {
  connection
    .prepare('INSERT INTO model (id, line_id, model_id, digest, graph) VALUES (1, ?, ?, ?, ?)')
    .run(lineId, model.modelId, model.digest, model.graph);
  const insertTensor = connection.prepare(
    'INSERT INTO tensors (position, name, shape, file_offset) VALUES (?, ?, ?, ?)',
  );
  model.tensors.forEach(({ name, shape, fileOffset }, position) => {
    insertTensor.run(position, name, shape.join(' '), fileOffset);
  });
}

/**
 * @throws LINE_MISMATCH, MODEL_MISMATCH when `offered` is not what the store at `path` holds.
 */
export function assertSameIdentity(path: string, stored: StoreIdentity, offered: StoreIdentity): void {
  if (stored.lineId !== offered.lineId) {
    throw new FreshetError(
      'LINE_MISMATCH',
      `${path} follows another line of versions (${stored.lineId}, not ${offered.lineId}): ` +
        'connect to the hub of that line, or give another --state directory',
      { details: { stored: stored.lineId, offered: offered.lineId } },
    );
  }
  if (stored.model.digest !== offered.model.digest) {
    throw new FreshetError(
      'MODEL_MISMATCH',
      `${path} holds another model (${stored.model.modelId}, not ${offered.model.modelId}, or another graph of it): ` +
        'give another --state directory',
      { details: { stored: stored.model.digest, offered: offered.model.digest } },
    );
  }
}

function readTensors(connection: StoreDatabase['connection']): TensorLayout[] {
  const rows = connection
    .prepare<[], { name: string; shape: string; file_offset: number }>(
      'SELECT name, shape, file_offset FROM tensors ORDER BY position',
    )
    .all();
  let elementOffset = 0;
  return rows.map((row) => {
    const shape = row.shape === '' ? [] : row.shape.split(' ').map(Number);
    const elementCount = shape.reduce((product, dimension) => product * dimension, 1);
    const tensor = { name: row.name, shape, elementOffset, elementCount, fileOffset: row.file_offset };
    elementOffset += elementCount;
    return tensor;
  });
}
