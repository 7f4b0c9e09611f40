/** The messages of the protocol in the notation of PROTOCOL.md, from the table that the codec works with. */
import { DOWNSTREAM, UPSTREAM } from '@freshet/protocol/messages';

interface NotedField {
  readonly notation: string;
  /** Where there is one, the field may be missing. */
  readonly absent?: unknown;
}

interface NotedMessage {
  readonly number: number;
  readonly fields: Readonly<Record<string, NotedField>>;
  readonly open?: true;
}

type Table = Readonly<Record<string, NotedMessage>>;

export function upstreamNotation(): string {
  return notationOf(UPSTREAM);
}

export function downstreamNotation(): string {
  return notationOf(DOWNSTREAM);
}

function notationOf(table: Table): string {
  const messages = Object.entries(table).map(([type, { number, fields, open }]) => {
    const lines = Object.entries(fields).map(
      ([name, field]) => `  ${'absent' in field ? '? ' : ''}${name}: ${named(field.notation)},`,
    );
    const rest = open === true ? ['  * any,'] : [];
    return [`${type} = [${number},`, ...lines, ...rest, ']'].join('\n');
  });
  return `\`\`\`cddl\n${messages.join('\n')}\n\`\`\``;
}

/** The three types that PROTOCOL.md names. */
function named(notation: string): string {
  return notation
    .replaceAll('[version: uint .ge 1, root: bstr .size 32]', 'position')
    .replaceAll('bstr .size 32', 'digest')
    .replaceAll('uint .ge 1', 'version');
}
