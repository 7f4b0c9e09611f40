/**
 * What a state machine does at each event in each phase, as a Markdown table: from what was seen when it was run, so that
 * the table cannot say anything else than the code.
 */

/** What one event did. */
export interface Outcome<Phase extends string> {
  /** In order, as words; empty where nothing was done. */
  readonly does: readonly string[];
  /** Error code of the last of them, or null. */
  readonly code: string | null;
  /** Null: this cannot occur. */
  readonly next: Phase | null;
}

/** Every event in every phase, with each outcome that it can have. */
export type Observed<Event extends string, Phase extends string> = Readonly<
  Record<Event, Readonly<Record<Phase, readonly Outcome<Phase>[]>>>
>;

const HEADER = '| event | phase | what is done, and the phase after it |\n| --- | --- | --- |';

/** One row for each event and for those phases in which it has the same outcomes. */
export function tableOf<Event extends string, Phase extends string>(
  observed: Observed<Event, Phase>,
  phases: readonly Phase[],
): string {
  const rows = (Object.keys(observed) as Event[]).flatMap((event) => {
    const phasesOfText = new Map<string, Phase[]>();
    for (const phase of phases) {
      const text = describe(observed[event][phase], phase);
      phasesOfText.set(text, [...(phasesOfText.get(text) ?? []), phase]);
    }
    return [...phasesOfText].map(([text, same]) => `| ${event} | ${same.join(', ')} | ${text} |`);
  });
  return [HEADER, ...rows].join('\n');
}

/** Outcomes that differ in their error code only are told together. */
function describe<Phase extends string>(outcomes: readonly Outcome<Phase>[], phase: Phase): string {
  const alike = Map.groupBy(outcomes, ({ does, next }) => `${does.join(', ')} → ${next}`);
  return [...alike.values()].map((same) => sentenceOf(same, phase)).join('; ');
}

function sentenceOf<Phase extends string>(alike: readonly Outcome<Phase>[], phase: Phase): string {
  const { does, next } = alike[0]!;
  if (next === null) return 'cannot occur';
  const codes = new Set(alike.flatMap(({ code }) => (code === null ? [] : [`\`${code}\``])));
  const deed = [does.join(', '), [...codes].sort().join(' / ')].filter((part) => part !== '').join(' ');
  if (next === phase) return deed === '' ? 'nothing' : deed;
  return `${deed} → **${next}**`.trim();
}
