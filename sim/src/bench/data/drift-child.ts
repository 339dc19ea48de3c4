/** Evaluates drift of one Parquet file against another in a process of its own, as `fleetloop feature drift` does, and prints one line of JSON. */
import { evaluateFiles, parseDriftMonitor } from '@fleetloop/control-plane';
import { DRIFT_COLUMNS, driftColumn } from './drift-workload.ts';

const BYTES_PER_KIBIBYTE = 1_024;
const MICROSECONDS = 1e6;
const [reference = '', current = ''] = process.argv.slice(2);
const monitor = parseDriftMonitor({
  kind: 'drift-monitor',
  name: 'bench',
  version: 1,
  owner: 'bench',
  session: 'session',
  features: Array.from({ length: DRIFT_COLUMNS }, (_, index) => ({ kind: 'numeric', name: driftColumn(index) })),
});

const startedMs = performance.now();
const cpu = process.cpuUsage();
const inputs = { monitor, reference: [reference], current: [current] };
const report = await evaluateFiles(inputs, new AbortController().signal);
const used = process.cpuUsage(cpu);
const answer = {
  seconds: (performance.now() - startedMs) / 1e3,
  cpuSeconds: (used.user + used.system) / MICROSECONDS,
  peakBytes: process.resourceUsage().maxRSS * BYTES_PER_KIBIBYTE,
  tests: report.results.length,
};
process.stdout.write(`${JSON.stringify(answer)}\n`);
