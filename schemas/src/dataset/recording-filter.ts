/** The variables of a filter over recordings, the same for whoever searches the catalogue and for dataset specifications. */
import type { ErrorCode } from '../errors/error-codes.ts';
import { compileExpression, type VariableType } from '../expression/expression.ts';

/** What a filter sees of a recording; an absent brief or label is the empty text to it. */
export type FilterableRecording = {
  readonly session: string;
  readonly source: 'uplink' | 'import';
  readonly vehicle: string;
  readonly hardwareRevision: string;
  readonly softwareVersion: string;
  readonly brief: string | null;
  readonly label: string | null;
  readonly durationSeconds: number;
  readonly attributes: Readonly<Record<string, string>>;
};

const VARIABLES = {
  session: 'string',
  source: 'string',
  vehicle: 'string',
  hardwareRevision: 'string',
  softwareVersion: 'string',
  brief: 'string',
  label: 'string',
  durationSeconds: 'double',
  attributes: 'map<string, string>',
} as const satisfies Record<keyof FilterableRecording, VariableType>;

/**
 * Compiles a CEL filter. The function that it gives throws where the expression cannot be evaluated for a recording, e.g.
 * because it asks for an attribute that this one lacks: what that means is for the caller to say.
 * @throws FleetError with `code`, pointing at the character
 */
export function compileRecordingFilter(where: string, code: ErrorCode): (recording: FilterableRecording) => boolean {
  const { evaluate } = compileExpression(where, VARIABLES, { syntax: code, type: code });
  return ({ session, source, vehicle, hardwareRevision, softwareVersion, brief, label, durationSeconds, attributes }) =>
    evaluate({
      session,
      source,
      vehicle,
      hardwareRevision,
      softwareVersion,
      brief: brief ?? '',
      label: label ?? '',
      durationSeconds,
      attributes,
    });
}
