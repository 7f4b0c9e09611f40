/**
 * What becomes of `hello`: a live session, or a refusal that says what to do about it.
 */
import { FreshetError } from '@freshet/protocol/errors';
import { capabilitiesOf, negotiateProtocol } from '@freshet/protocol/handshake';
import type { Position } from '@freshet/protocol/ids';
import type { MessageNamed, UpstreamMessage } from '@freshet/protocol/messages';
import { close, closeWith } from './session-close.ts';
import type { FeedbackState } from './session-feedback.ts';
import type { HubFacts, Transition } from './session-state.ts';

export function greet(hello: MessageNamed<UpstreamMessage, 'hello'>, facts: HubFacts): Transition {
  let protocol: number;
  try {
    protocol = negotiateProtocol(hello);
  } catch (error) {
    if (error instanceof FreshetError) return closeWith(error);
    throw error;
  }
  if (hello.lineId !== null && hello.lineId !== facts.lineId) {
    return close(
      'LINE_MISMATCH',
      `the agent follows line ${hello.lineId}, this hub keeps line ${facts.lineId}: connect it to its own hub, or ` +
        'delete its store to take on this line',
    );
  }
  const sendModel = hello.modelDigest !== facts.modelDigest;
  if (sendModel && hello.head !== null) {
    return close(
      'MODEL_MISMATCH',
      "the agent holds weights of another model than this hub's: delete its store",
    );
  }
  const capabilities = capabilitiesOf(hello);
  if (sendModel && facts.modelFrameBytes > capabilities.frameBytesMax) {
    return close(
      'FRAME_TOO_LARGE',
      `the model without its weights is a message of ${facts.modelFrameBytes} bytes, and the agent takes ` +
        `${capabilities.frameBytesMax}: raise the largest message that it takes`,
    );
  }
  const divergence = divergenceOf(hello.head, facts);
  if (divergence !== null) return close('LINE_MISMATCH', divergence);

  const { agentId, software, head, served, pinned, partial } = hello;
  if (!facts.hasRoomFor(agentId)) {
    return close('NOT_READY', 'this hub knows as many agents as it can and takes in no new ones');
  }
  const feedback = feedbackAfter(hello, facts);
  return {
    state: {
      phase: 'live',
      agentId,
      capabilities,
      partial,
      cursor: head,
      confirmed: head,
      newestSent: head?.version ?? 0,
      inFlight: [],
      refusals: 0,
      doomed: [],
      snapshotDue: false,
      strayAnswers: 0,
      feedback,
    },
    effects: [
      { type: 'admit', agentId, protocol, sendModel },
      ...(feedback === 'open' ? [{ type: 'announce-samples' } as const] : []),
      { type: 'report', report: { software, head, served, pinned }, delivered: 0 },
      { type: 'pump' },
    ],
  };
}

function feedbackAfter(hello: MessageNamed<UpstreamMessage, 'hello'>, facts: HubFacts): FeedbackState {
  if (!hello.feedback) return 'unsupported';
  return facts.takesSamples ? 'open' : 'closed';
}

/** Why weights at `head` cannot come from our line, or null when they can. */
function divergenceOf(head: Position | null, facts: HubFacts): string | null {
  if (head === null) return null;
  if (head.version > facts.head.version) {
    return (
      `the agent holds version ${head.version}, this hub's newest is ${facts.head.version}: the hub's log was ` +
      "replaced or restored from an old backup. Restore the newer log, or delete the agent's store"
    );
  }
  const root = facts.rootOf(head.version);
  if (root === null || root === head.root) return null;
  return `the agent's version ${head.version} has other weights than this hub's: delete the agent's store to start over`;
}
