/** What the experiments report, on streams small enough to count by hand. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { forgetting, recovery, worstGap } from '../../scripts/experiment/measures/drift-measures.ts';
import { formatSummary, summarise } from '../../scripts/experiment/measures/summary.ts';
import { Trace } from '../../scripts/experiment/measures/trace.ts';
import { lineChartSvg } from '../../scripts/experiment/report/line-chart.ts';

/** `1` for right, `0` for wrong, spaces ignored; from image 10 on. */
function traceOf(text: string): Trace {
  const hits = [...text.replaceAll(' ', '')].map((digit) => digit === '1');
  const trace = new Trace(10, 10 + hits.length);
  trace.add(hits);
  return trace;
}

describe('measures', () => {
  it('count windows of the stream, and everything so far', () => {
    const trace = traceOf('1111 0011 10');
    assert.deepEqual(trace.windows(4), [
      { end: 14, accuracy: 1 },
      { end: 18, accuracy: 0.5 },
    ]);
    assert.deepEqual(trace.cumulative(5), [
      { end: 15, accuracy: 0.8 },
      { end: 20, accuracy: 0.7 },
    ]);
    assert.equal(trace.accuracy(), 0.7);
    assert.equal(trace.end, 20);
  });

  it('find the worst window under another run', () => {
    assert.equal(worstGap(traceOf('1110 1000 1111'), traceOf('1111 1111 1111'), 4), 0.75);
    assert.equal(worstGap(traceOf('1111'), traceOf('1100'), 4), -0.5);
  });

  it('tell how deep a change goes and how long it lasts', () => {
    const trace = traceOf('1111 1000 0000 1100 1111 1111');
    const around = { change: 14, end: 34, length: 4, tolerance: 0.01 };
    assert.deepEqual(recovery(trace, around), { dip: 1, samplesToRecover: 16 });
    assert.deepEqual(recovery(trace, { ...around, end: 26 }), { dip: 1, samplesToRecover: null });
    assert.deepEqual(recovery(traceOf('0000 1111'), { ...around, end: 18 }), {
      dip: -1,
      samplesToRecover: 4,
    });
  });

  it('compare with the best there was of each task', () => {
    const accuracies = [
      [0.9, 0, 0],
      [0.8, 0.7, 0],
      [0.5, 0.6, 1],
    ];
    assert.ok(Math.abs(forgetting(accuracies) - (0.4 + 0.1) / 2) < 1e-12);
  });

  it('sum up seeds', () => {
    assert.equal(formatSummary(summarise([0.5, 0.7]), 2, 100), '60.00 ± 14.14');
    assert.equal(formatSummary(summarise([0.5])), '0.5000');
  });

  it('draw as SVG', async () => {
    const points = [
      { x: 0, y: 0.5 },
      { x: 10, y: 1 },
    ];
    const svg = await lineChartSvg({
      title: 'a & b',
      xTitle: 'images',
      yTitle: 'accuracy',
      lines: [{ name: 'proactive <8>', points }],
      marks: [{ x: 5, name: 'turned' }],
    });
    assert.match(svg, /^<svg [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    for (const text of ['a &amp; b', 'images', 'accuracy', 'proactive &lt;8&gt;', 'turned']) {
      assert.ok(svg.includes(text), text);
    }
  });
});
