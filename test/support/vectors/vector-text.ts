/** JSON for people: what fits into a line is in one, and so is a list of numbers or texts, however long. */

const LINE_LENGTH_MAX = 100;

/** The text of a file, with a line feed at its end. */
export function vectorText(value: unknown): string {
  return `${textOf(value, '')}\n`;
}

function textOf(value: unknown, indent: string): string {
  const line = JSON.stringify(value);
  if (typeof value !== 'object' || value === null || line.length <= LINE_LENGTH_MAX || isPlainList(value)) {
    return line;
  }
  const inner = `${indent}  `;
  const isList = Array.isArray(value);
  const items = Object.entries(value).map(([name, each]) => {
    const text = textOf(each, inner);
    return inner + (isList ? text : `${JSON.stringify(name)}: ${text}`);
  });
  const [open, close] = isList ? '[]' : '{}';
  return `${open}\n${items.join(',\n')}\n${indent}${close}`;
}

function isPlainList(value: object): boolean {
  return Array.isArray(value) && value.every((each) => typeof each !== 'object' || each === null);
}
