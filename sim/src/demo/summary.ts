/** The figures of one demo run, as written to summary.json and printed as tables. */
import { z } from 'zod';

const number = z.number();

export const Summary = z.strictObject({
  events: z.strictObject({ expected: number, captured: number, extra: number }),
  gates: z.array(
    z.strictObject({
      dataset: z.string(),
      model: z.string(),
      featureSet: z.string(),
      verdict: z.string(),
      overall: number,
      slices: z.array(
        z.strictObject({ name: z.string(), value: number.nullable(), lowerBound: number.nullable(), count: number }),
      ),
      decidedBy: z.string(),
    }),
  ),
  rollouts: z.array(
    z.strictObject({
      name: z.string(),
      rolloutId: z.string(),
      outcome: z.string(),
      vehicles: z.array(z.string()),
      updated: z.array(z.string()),
      rolledBack: z.array(z.string()),
      seconds: number,
      /** From the decision to abort until the last vehicle was confirmed on its former model. */
      rollbackSeconds: number.nullable(),
    }),
  ),
  loop: z.strictObject({
    anomaly: z.string(),
    brief: z.string(),
    campaign: z.string(),
    recordings: number,
    dataset: z.string(),
    verdict: z.string(),
    refusesFormerModel: z.boolean(),
  }),
  parity: z.array(z.strictObject({ feature: z.string(), worstAbsolute: number, worstRelative: number })),
  trace: z.strictObject({ from: z.string(), nodes: number, edges: number }),
  ledger: z.strictObject({ entries: number, verified: z.boolean() }),
  timings: z.record(z.string(), number),
  memory: z.record(z.string(), number),
});
export type Summary = z.infer<typeof Summary>;

type Cells = readonly string[];

/** A plain text table with a header line. */
export function table(header: Cells, rows: readonly Cells[]): string {
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: Cells): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [line(header), line(widths.map((width) => '─'.repeat(width))), ...rows.map(line)].join('\n');
}

const percent = (value: number | null): string => (value === null ? '–' : value.toFixed(3));

/** The summary as the demo prints it. */
export function renderSummary(summary: Summary): string {
  const { events, loop, trace, ledger } = summary;
  const slice = (gate: Summary['gates'][number]): string =>
    gate.slices
      .map((each) => `${each.name} ${percent(each.value)} (≥ ${percent(each.lowerBound)}, n=${each.count})`)
      .join('; ');
  return [
    `Events: ${events.captured} of ${events.expected} listed events captured, ${events.extra} extra recordings`,
    '',
    table(
      ['dataset', 'model', 'features', 'verdict', 'overall', 'decided by'],
      summary.gates.map((gate) => [
        gate.dataset,
        gate.model,
        gate.featureSet,
        gate.verdict,
        percent(gate.overall),
        gate.decidedBy,
      ]),
    ),
    '',
    ...summary.gates.map((gate) => `${gate.model} on ${gate.dataset}: ${slice(gate)}`),
    '',
    table(
      ['rollout', 'outcome', 'vehicles', 'updated', 'rolled back', 'seconds', 'of them rollback'],
      summary.rollouts.map((rollout) => [
        rollout.name,
        rollout.outcome,
        String(rollout.vehicles.length),
        rollout.updated.join(' ') || '–',
        rollout.rolledBack.join(' ') || '–',
        rollout.seconds.toFixed(1),
        rollout.rollbackSeconds?.toFixed(1) ?? '–',
      ]),
    ),
    '',
    `Loop: ${loop.anomaly} → ${loop.brief} → ${loop.campaign} → ${loop.recordings} recordings → ${loop.dataset} → ${loop.verdict}; the former model is ${loop.refusesFormerModel ? 'refused' : 'not refused'} by the regression slice`,
    `Parity of the two feature engines: worst absolute ${Math.max(...summary.parity.map((each) => each.worstAbsolute)).toExponential(2)}, worst relative ${Math.max(...summary.parity.map((each) => each.worstRelative)).toExponential(2)} over ${summary.parity.length} features`,
    `Trace from ${trace.from}: ${trace.nodes} nodes, ${trace.edges} edges`,
    `Ledger: ${ledger.entries} entries, ${ledger.verified ? 'verified' : 'NOT VERIFIED'}`,
    '',
    table(
      ['process', 'peak RSS'],
      Object.entries(summary.memory).map(([name, bytes]) => [name, `${(bytes / 1024 / 1024).toFixed(0)} MiB`]),
    ),
  ].join('\n');
}
