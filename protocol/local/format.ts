/** How values are written for a person. */
import type { Position } from '../ids.ts';

/** Enough of a root to tell versions apart by eye. */
const ROOT_DIGITS = 12;

export function describePosition(position: Position | null): string {
  return position === null ? 'none yet' : `version ${position.version} (root ${shortRoot(position.root)}…)`;
}

export function shortRoot(root: string): string {
  return root.slice(0, ROOT_DIGITS);
}

export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 'B';
  for (const next of units) {
    if (value < 1000) break;
    value /= 1000;
    unit = next;
  }
  return `${value.toPrecision(3)} ${unit}`;
}

/** Rows of equal length as columns, the first row the heading. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** A trace context in its text form, https://www.w3.org/TR/trace-context/#traceparent-header. `hex`: 26 bytes. */
export function formatTraceparent(hex: string): string {
  return `${hex.slice(0, 2)}-${hex.slice(2, 34)}-${hex.slice(34, 50)}-${hex.slice(50)}`;
}
