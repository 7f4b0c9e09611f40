/** Line charts as SVG, drawn by Vega-Lite. */
import { assert } from '@freshet/protocol/assert';
import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Line {
  readonly name: string;
  readonly points: readonly Point[];
}

export interface LineChart {
  readonly title: string;
  readonly xTitle: string;
  readonly yTitle: string;
  readonly lines: readonly Line[];
  /** Where something changes in the stream, with what begins there. */
  readonly marks?: readonly { readonly x: number; readonly name: string }[];
}

const WIDTH = 720;
const HEIGHT = 360;
const MARK_COLOR = '#888';

/** The chart as one SVG document. */
export async function lineChartSvg(chart: LineChart): Promise<string> {
  const view = new View(parse(compile(specOf(chart)).spec), { renderer: 'none' });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

function specOf({ title, xTitle, yTitle, lines, marks = [] }: LineChart): TopLevelSpec {
  assert(
    lines.every(({ points }) => points.length > 0),
    'a line has points',
  );
  const rows = lines.flatMap(({ name, points }) => points.map(({ x, y }) => ({ name, x, y })));
  const names = lines.map(({ name }) => name);
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title,
    width: WIDTH,
    height: HEIGHT,
    background: 'white',
    // Names in full, as the tables have them.
    config: { legend: { labelLimit: 0 } },
    layer: [
      {
        data: { values: rows },
        mark: { type: 'line', strokeWidth: 1.5 },
        encoding: {
          x: { field: 'x', type: 'quantitative', title: xTitle, scale: { zero: false, nice: false } },
          y: { field: 'y', type: 'quantitative', title: yTitle, scale: { zero: false } },
          color: { field: 'name', type: 'nominal', title: null, sort: names, scale: { scheme: 'tableau10' } },
          strokeDash: { field: 'name', type: 'nominal', title: null, sort: names },
        },
      },
      {
        data: { values: [...marks] },
        mark: { type: 'rule', color: MARK_COLOR, strokeDash: [2, 3] },
        encoding: { x: { field: 'x', type: 'quantitative' } },
      },
      {
        data: { values: [...marks] },
        mark: { type: 'text', align: 'left', dx: 4, color: MARK_COLOR },
        encoding: {
          x: { field: 'x', type: 'quantitative' },
          y: { value: 10 },
          text: { field: 'name', type: 'nominal' },
        },
      },
    ],
  };
}
