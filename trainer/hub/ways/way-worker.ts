/**
 * The thread that goes back through old versions: decoding their deltas, squashing them and encoding what comes out take
 * up to seconds, during which the hub's own loop has to serve sockets. It knows no log and no files: it is given weights
 * and undos, and gives back a payload or weights (way-messages.ts).
 */
import { parentPort } from 'node:worker_threads';
import { assert, unreachable } from '@freshet/protocol/assert';
import { digestWeights } from '@freshet/protocol/digest';
import { FreshetError } from '@freshet/protocol/errors';
import { SquashedRun, takeBack } from '../../core/squash.ts';
import type { WayAnswer, WayQuestion } from './way-messages.ts';

type Begin = Extract<WayQuestion, { readonly type: 'begin' }>;

/** A run on its way back. */
interface Run {
  takeBack(undo: Uint8Array): void;
  finish(base: Extract<WayQuestion, { readonly type: 'finish' }>['base']): WayAnswer;
}

const port = parentPort;
assert(port !== null, 'this file is the program of a thread');
let run: Run | null = null;

port.on('message', (question: WayQuestion) => {
  const answer = answerTo(question);
  const moved =
    answer.type === 'restored' ? answer.weights : answer.type === 'squashed' ? answer.payload : null;
  port.postMessage(answer, moved === null ? [] : [moved.buffer as ArrayBuffer]);
});

function answerTo(question: WayQuestion): WayAnswer {
  try {
    return carryOut(question);
  } catch (error) {
    if (!(error instanceof FreshetError)) throw error;
    run = null;
    return { type: 'failed', code: error.code, message: error.message };
  }
}

function carryOut(question: WayQuestion): WayAnswer {
  if (question.type === 'begin') {
    run = question.makes === 'squash' ? squashing(question) : restoring(question);
    return { type: 'taken' };
  }
  assert(run !== null, 'a run has begun');
  switch (question.type) {
    case 'undos':
      for (const undo of question.undos) run.takeBack(undo);
      return { type: 'taken' };
    case 'finish': {
      const answer = run.finish(question.base);
      // The weights are free to go while the thread waits.
      run = null;
      return answer;
    }
    default:
      return unreachable(question);
  }
}

function squashing({ weights, layout }: Begin): Run {
  const squashed = new SquashedRun(weights, layout);
  return {
    takeBack: (undo) => squashed.takeBack(undo),
    finish: () => ({ type: 'squashed', payload: squashed.payload() }),
  };
}

function restoring({ weights, layout, modelDigest }: Begin): Run {
  return {
    takeBack: (undo) => void takeBack(weights, undo, layout),
    finish: (base) => ({ type: 'restored', weights, root: digestWeights(weights, modelDigest, base) }),
  };
}
