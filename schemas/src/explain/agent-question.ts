/** What may be asked of an agent, on its local socket and over the link alike. */
import { z } from 'zod';
import { FleetError } from '../errors/fleet-error.ts';

export const QUESTION_BYTES_MAX = 4_096;
export const ANSWER_BYTES_MAX = 900_000;
const SUBJECT_LENGTH_MAX = 256;

export const AgentQuestion = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('status') }),
  /** Why something happened or did not: a campaign by its id, an event by its id, a recording by its digest (or the beginning of it). */
  z.strictObject({ kind: z.literal('why'), subject: z.string().min(1).max(SUBJECT_LENGTH_MAX) }),
]);
export type AgentQuestion = z.infer<typeof AgentQuestion>;

/** @throws FleetError REQUEST_INVALID */
export function parseAgentQuestion(text: string): AgentQuestion {
  const parsed = AgentQuestion.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new FleetError('REQUEST_INVALID', `the question is not valid: ${z.prettifyError(parsed.error)}`);
}

/** An answer: what was asked for, or why there is none. */
export type AgentAnswer<T> =
  | { readonly ok: true; readonly answer: T }
  | { readonly ok: false; readonly code: string; readonly message: string };

export type WhySubject =
  | { readonly kind: 'campaign'; readonly id: string }
  | { readonly kind: 'event'; readonly id: string }
  | { readonly kind: 'recording'; readonly digest: string };

/** Reads `campaign/<id>`, `event/<id>`, `recording/<digest>`, and the bare forms that can be told apart. */
export function parseWhySubject(text: string): WhySubject {
  const [, kind, named = ''] = /^(campaign|event|recording)\/(.+)$/.exec(text) ?? [];
  const id = kind === undefined ? text : named;
  if (kind === 'campaign') return { kind, id };
  if (kind === 'event' || (kind === undefined && /^ev-[0-9a-f]+$/.test(id))) return { kind: 'event', id };
  if (kind === 'recording' || /^sha256:[0-9a-f]+$/.test(id))
    return /^ev-[0-9a-f]+$/.test(id) ? { kind: 'event', id } : { kind: 'recording', digest: id };
  return { kind: 'campaign', id };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
