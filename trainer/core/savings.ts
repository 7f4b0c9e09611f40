/**
 * What sparse deltas save against the obvious way, which is to send the complete ONNX file whenever there is a newer
 * one. Measured on the sending side, with all protocol overhead: retries and refused transfers count as cost.
 */

export interface Traffic {
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly versionsDelivered: number;
  /** Deliveries × size of the complete ONNX file. */
  readonly fullModelEquivalentBytes: number;
}

export interface Savings extends Traffic {
  /** Negative while an agent has cost more than files would have, as right after its first snapshot. */
  readonly bytesSaved: number;
  /** Full-model bytes per byte sent; null before anything was sent. */
  readonly reductionFactor: number | null;
}

export function savingsOf(traffic: Traffic): Savings {
  const { bytesSent, bytesReceived, versionsDelivered, fullModelEquivalentBytes } = traffic;
  return {
    bytesSent,
    bytesReceived,
    versionsDelivered,
    fullModelEquivalentBytes,
    bytesSaved: fullModelEquivalentBytes - bytesSent,
    reductionFactor: bytesSent === 0 ? null : fullModelEquivalentBytes / bytesSent,
  };
}

export function totalSavings(agents: readonly Traffic[]): Savings {
  const sum = (count: (agent: Traffic) => number) => agents.reduce((total, agent) => total + count(agent), 0);
  return savingsOf({
    bytesSent: sum(({ bytesSent }) => bytesSent),
    bytesReceived: sum(({ bytesReceived }) => bytesReceived),
    versionsDelivered: sum(({ versionsDelivered }) => versionsDelivered),
    fullModelEquivalentBytes: sum(({ fullModelEquivalentBytes }) => fullModelEquivalentBytes),
  });
}
