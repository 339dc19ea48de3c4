/** Answers why something was captured, is not uploaded, or is gone, in sentences that need no source code beside them. */
import type { DISK_STATES } from '@fleetloop/schemas';
import type { CampaignExplanation, OperandExplanation, Suppression } from '@fleetloop/schemas/trigger';
import type { CampaignReport } from '../campaign/campaign-desk.ts';
import type { PendingEvent } from '../record/recorder-explanation.ts';
import type { Explanation, Outcome, SpoolEntry } from '../spool/spool-entry.ts';
import type { UplinkExplanation, UploadExplanation } from '../uplink/uplink-explanation.ts';

/** Recordings of a campaign that an answer names. */
export const RECORDINGS_NAMED_MAX = 100;
/** Stands for a value that must not leave the vehicle. */
const WITHHELD = 'withheld';

/** What decides whether a recording can be sent now. */
export type LinkFacts = UplinkExplanation['link'] & {
  readonly networkClass: UplinkExplanation['network']['class'];
  /** Bytes that its priority may still send today; null is no limit. */
  readonly leftTodayBytes: number | null;
  /** A pause of its priority. */
  readonly hold: UplinkExplanation['holds'][number] | null;
};

export type CampaignFacts = {
  readonly id: string;
  readonly report: CampaignReport | undefined;
  readonly explanation: CampaignExplanation | undefined;
  /** Paths of inputs whose values a redaction rule keeps on the vehicle: they are not said either. */
  readonly withheld: readonly string[];
  readonly diskState: (typeof DISK_STATES)[number];
  readonly pending: readonly PendingEvent[];
  readonly queued: readonly string[];
};

export type EventFacts = {
  readonly id: string;
  readonly pending: PendingEvent | undefined;
  readonly spool: Explanation;
  readonly upload: UploadExplanation | undefined;
  /** Absent unless its recording waits here. */
  readonly link: LinkFacts | undefined;
};

export type Why<T> = T & { readonly kind: 'campaign' | 'event'; readonly conclusion: readonly string[] };

export function whyCampaign(facts: CampaignFacts): Why<CampaignFacts> {
  const explanation = withheldFrom(facts.explanation, facts.withheld);
  return {
    kind: 'campaign',
    ...facts,
    explanation,
    queued: facts.queued.slice(0, RECORDINGS_NAMED_MAX),
    conclusion: concludeCampaign({ ...facts, explanation }),
  };
}

export function whyEvent(facts: EventFacts): Why<EventFacts> {
  return { kind: 'event', ...facts, conclusion: concludeEvent(facts) };
}

function withheldFrom(
  explanation: CampaignExplanation | undefined,
  withheld: readonly string[],
): CampaignExplanation | undefined {
  if (explanation === undefined || withheld.length === 0) return explanation;
  const isWithheld = ({ path, value }: OperandExplanation): boolean =>
    path !== undefined && value !== null && withheld.includes(path);
  const operands = explanation.operands.map((operand) =>
    isWithheld(operand) ? { ...operand, value: WITHHELD } : operand,
  );
  return { ...explanation, operands };
}

function concludeCampaign({ id, report, explanation, pending, queued, diskState }: CampaignFacts): string[] {
  if (report === undefined)
    return [`campaign ${id} is not on this vehicle: it was never received, or it is done and forgotten`];
  const { version, state, code, reason } = report;
  const why = `${code === undefined ? '' : `${code}: `}${reason ?? ''}`;
  const lines = [`campaign ${id} version ${version} is ${state}${why === '' ? '' : `: ${why}`}`];
  if (explanation !== undefined) lines.push(...concludeEvaluations(explanation));
  for (const event of pending) lines.push(`event ${event.eventId} ${waiting(event)}`);
  if (queued.length > 0) lines.push(`${queued.length} recordings of it wait on this vehicle`);
  if (diskState !== 'normal') lines.push(`the disk is in the state ${diskState}, in which ${DISK_TEXTS[diskState]}`);
  return lines;
}

const DISK_TEXTS = {
  evicting: 'what matters less makes room for what matters more',
  'safety-only': 'only safety recordings are taken',
  refusing: 'no recording is taken',
} as const;

function concludeEvaluations(explanation: CampaignExplanation): string[] {
  const { suppressedBy, statistics, lastFiredNs } = explanation;
  const { evaluations, fired, absent, suppressedByCooldown, suppressedByBudget, failed } = statistics;
  return [
    lastEvaluationText(explanation),
    ...suppressedBy.map(suppressionText),
    `evaluated ${evaluations} times, fired ${fired}, inputs absent ${absent}, held back by cool-down ${suppressedByCooldown} and by budget ${suppressedByBudget}, failed ${failed}`,
    ...statistics.failureReasons.map((reason) => `an evaluation failed: ${reason}`),
    lastFiredNs === undefined ? 'it has not fired in this session' : `it fired last at ${timeText(lastFiredNs)}`,
  ];
}

function lastEvaluationText({ lastEvaluation, operands, absent, condition }: CampaignExplanation): string {
  const missing = absent.length === 0 ? '' : `: nothing has come for ${absent.join(', ')}`;
  if (lastEvaluation === undefined) return `its condition has not been evaluated in this session${missing}`;
  const values = operands.map(operandText).join(', ');
  const at = timeText(lastEvaluation.timeNs);
  switch (lastEvaluation.outcome) {
    case 'absent':
      return `${condition} could not become true at ${at}${missing}; with ${values}`;
    case 'failed':
      return `${condition} could not be evaluated at ${at} with ${values}`;
    case 'true':
    case 'false':
      return `${condition} was ${lastEvaluation.outcome} at ${at} with ${values}`;
  }
}

function concludeEvent({ id, pending, spool, upload, link }: EventFacts): string[] {
  const open = pending === undefined ? [] : [`event ${id} ${waiting(pending)}`];
  switch (spool.kind) {
    case 'queued': {
      const { entry } = spool;
      const stored = entry.storedAt === undefined ? [] : [`relay ${entry.storedAt} has it`];
      return [
        ...open,
        `its recording of ${entry.sizeBytes} bytes (${entry.priority}) is on disk since ${new Date(entry.capturedAtMs).toISOString()}`,
        ...(entry.isSettled ? [] : ['it is not uploaded yet, because a later trigger may still extend it']),
        ...stored,
        ...blockedText(link, entry),
        ...uploadText(upload),
      ];
    }
    case 'ended':
      return [outcomeText(spool.outcome, spool.isTold)];
    case 'adopting':
      return [`event ${id} was found on disk at the start and is being looked at`];
    case 'unknown':
      return open.length > 0
        ? open
        : [`event ${id} is not known on this vehicle: it never happened here, or it ended long ago`];
  }
}

/** Why nothing of it can be sent now, whatever its turn is. */
function blockedText(link: LinkFacts | undefined, { priority, sizeBytes }: SpoolEntry): string[] {
  if (link === undefined) return [];
  const { isConnected, refusal, networkClass, leftTodayBytes: left, hold } = link;
  const lines: string[] = [];
  if (refusal !== null) lines.push(`the server refuses this vehicle: ${refusal.code}: ${refusal.message}`);
  else if (!isConnected) lines.push('there is no link to the control plane');
  if (hold !== null)
    lines.push(`uploads of priority ${priority} pause for ${seconds(hold.forMs)}: ${hold.code}: ${hold.reason}`);
  if (networkClass === 'offline') lines.push('the network class is offline: nothing is sent');
  else if (left !== null && left < sizeBytes)
    lines.push(`priority ${priority} may send ${left} bytes more today on a ${networkClass} network`);
  return lines;
}

function uploadText(upload: UploadExplanation | undefined): string[] {
  if (upload === undefined) return [];
  const { phase, chunks, chunksLeft, failures, lastError, nextAttemptInMs, isBoosted, sentAs } = upload;
  const next =
    nextAttemptInMs === null
      ? 'an answer is awaited'
      : nextAttemptInMs === 0
        ? 'next as soon as it is its turn'
        : `next attempt in ${seconds(nextAttemptInMs)}`;
  return [
    `${phase}: ${chunks - chunksLeft} of ${chunks} chunks have arrived, ${next}`,
    ...(isBoosted ? [`its deadline is near, so it is sent as ${sentAs}`] : []),
    ...(lastError === null ? [] : [`failed ${failures} times, last: ${lastError.code}: ${lastError.message}`]),
  ];
}

function outcomeText(outcome: Outcome, isTold: boolean): string {
  const at = new Date(outcome.atMs).toISOString();
  const told = isTold ? 'the cloud knows it' : 'the cloud has not confirmed that it knows';
  const why = `${outcome.code === undefined ? '' : `${outcome.code}: `}${outcome.reason ?? 'no reason was given'}`;
  switch (outcome.outcome) {
    case 'verified':
      return `verified at ${at}: ledger entry ${outcome.ledgerSequence ?? 'unknown'}`;
    case 'refused':
      return `refused by the cloud at ${at}: ${why}; the copy is kept aside until room is needed`;
    case 'evicted':
      return `given up at ${at}: ${why}; ${told}`;
    case 'quarantined':
      return `set aside at ${at}: ${why}; ${told}`;
    case 'withdrawn':
      return outcome.into === undefined
        ? `withdrawn at ${at}: ${why}`
        : `became part of event ${outcome.into} at ${at}`;
  }
}

function waiting({ waitsFor, waitsUntilNs, triggers }: PendingEvent): string {
  const what =
    waitsFor === 'post-window'
      ? 'waits for the end of its post-window, until'
      : 'is on disk and waits whether a later trigger extends it, until';
  return `${what} ${timeText(waitsUntilNs)}, ${triggers} triggers`;
}

function suppressionText(suppression: Suppression): string {
  switch (suppression.by) {
    case 'suspended':
      return 'it is suspended';
    case 'not-started':
      return `it begins at ${timeText(suppression.untilNs)}`;
    case 'expired':
      return `it expired at ${timeText(suppression.atNs)}`;
    case 'operator':
    case 'budget':
      return `it is held back: ${suppression.reason}`;
    case 'cooldown':
      return `it is quiet until ${timeText(suppression.untilNs)} (cool-down)`;
    case 'duration':
      return `its condition is true since ${timeText(suppression.sinceNs)} and must stay so until ${timeText(suppression.untilNs)}`;
    case 'hysteresis':
      return `it has fired and is not released: ${suppression.releaseCondition} must become true first`;
    case 'edge':
      return 'its condition is true all the time: it fires when it becomes true again';
  }
}

function operandText({ name, value, unit }: OperandExplanation): string {
  const text = typeof value === 'number' ? Number(value.toPrecision(6)).toString() : String(value ?? 'absent');
  return unit === undefined || unit === '' ? `${name} ${text}` : `${name} ${text} ${unit}`;
}

const seconds = (ms: number): string => `${Math.ceil(ms / 1_000)} s`;

function timeText(timeNs: bigint): string {
  return new Date(Number(timeNs / 1_000_000n)).toISOString();
}
