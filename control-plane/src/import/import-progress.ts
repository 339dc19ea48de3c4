/** What an import says while it works: one line for each run that ended, and now and then how far the others are. */
import type { PlannedRun } from './import-plan.ts';
import type { RunStep } from './import-run.ts';
import type { ImportedRun, ImportReport } from './import-runs.ts';

/** Between two lines about one run, ms. */
const STEP_INTERVAL_MS = 2_000;
const BYTES_PER_MB = 1e6;
const NAMED_MAX = 100;

export class ImportProgress {
  readonly #total: number;
  readonly #say: (line: string) => void;
  readonly #nowMs: () => number;
  #saidMs: number;
  #ended = 0;

  constructor(total: number, say: (line: string) => void, nowMs: () => number) {
    this.#total = total;
    this.#say = say;
    this.#nowMs = nowMs;
    this.#saidMs = nowMs();
  }

  get endedRuns(): number {
    return this.#ended;
  }

  ended(run: ImportedRun): void {
    this.#ended += 1;
    this.#say(`[${this.#ended}/${this.#total}] ${printable(describeRun(run))}`);
  }

  step(run: PlannedRun, step: RunStep): void {
    const nowMs = this.#nowMs();
    if (nowMs - this.#saidMs < STEP_INTERVAL_MS) return;
    this.#saidMs = nowMs;
    const done =
      step.kind === 'decoded'
        ? `${step.messages} messages decoded`
        : `${inMb(step.bytes)} of ${inMb(step.ofBytes)} MB sent`;
    this.#say(`[${this.#ended}/${this.#total}] ${printable(run.source)}: ${done}`);
  }
}

function describeRun(run: ImportedRun): string {
  if ('code' in run) return `${run.state} ${run.source}: ${run.code}: ${run.message}`;
  const { findings } = run;
  const found = findings === undefined ? 0 : findings.info + findings.warning + findings.error;
  return [
    `${run.state} ${run.session}: ${run.messages} messages, ${run.sizeBytes} bytes`,
    ...(run.label === null ? [] : [run.label]),
    ...(found === 0 ? [] : [`${found} findings`]),
  ].join(', ');
}

export function describeReport(report: ImportReport): string {
  const { accepted, withFindings, known, quarantined, failed, runs } = report;
  const bad = runs.filter((run) => 'code' in run);
  const unnamed = bad.length - NAMED_MAX;
  return [
    ...bad.slice(0, NAMED_MAX).map((run) => printable(describeRun(run))),
    ...(unnamed > 0 ? [`and ${unnamed} more (--json names all)`] : []),
    `${accepted} accepted (${withFindings} with findings), ${known} known before, ${quarantined} quarantined, ${failed} not readable`,
  ].join('\n');
}

/** Names of files and sessions come from elsewhere: a terminal must not obey what is in them. */
function printable(line: string): string {
  return line.replaceAll(/\p{Cc}|\p{Cf}/gu, (sign) => `\\u${(sign.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);
}

function inMb(bytes: number): string {
  return (bytes / BYTES_PER_MB).toFixed(1);
}
