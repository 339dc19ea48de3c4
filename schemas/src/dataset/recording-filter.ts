/** The variables of a filter over recordings, the same for whoever searches the catalogue and for dataset specifications. */
import type { ErrorCode } from '../errors/error-codes.ts';
import { compileExpression, type ExpressionValue, type VariableType } from '../expression/expression.ts';
import type { Permission, TimeOfDay } from '../record/circumstances.ts';
import type { RecordingMetadata } from '../record/recording-metadata.ts';

/** What a filter sees of a recording; what is absent or null is the empty text, list or map to it. */
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
} & Partial<FilterableCircumstances>;

/** The searchable part of a recording's circumstances. */
export type FilterableCircumstances = {
  readonly weather: string;
  readonly placeClass: string;
  /** `day`, `twilight` or `night`; empty where neither the sun's position nor a declaration tells. */
  readonly timeOfDay: string;
  readonly firmware: string;
  readonly models: Readonly<Record<string, string>>;
  readonly operator: string;
  readonly consent: string;
  readonly consentScope: readonly string[];
  /** RFC 3339 UTC, which compares as text; the last moment of the year 9999 where a permission does not end. */
  readonly consentExpiresAt: string;
  readonly licence: string;
  readonly licenceScope: readonly string[];
  readonly licenceExpiresAt: string;
  /** Made by a generator; no vehicle drove it. */
  readonly synthetic: boolean;
  readonly generator: string;
};

const NO_CIRCUMSTANCES: FilterableCircumstances = {
  weather: '',
  placeClass: '',
  timeOfDay: '',
  firmware: '',
  models: {},
  operator: '',
  consent: '',
  consentScope: [],
  consentExpiresAt: '',
  licence: '',
  licenceScope: [],
  licenceExpiresAt: '',
  synthetic: false,
  generator: '',
};

/** Where a permission does not end. */
const NEVER = '9999-12-31T23:59:59.999Z';

/** What a filter sees of what a recording declares, and of the time of day that ingest found out. */
export function filterableCircumstances(
  metadata: RecordingMetadata,
  timeOfDay: TimeOfDay | undefined,
): FilterableCircumstances {
  const declared = metadata.circumstances ?? {};
  const { attributes } = metadata.session;
  const { consent, licence, synthetic } = declared;
  return {
    weather: declared.weather ?? attributes['weather'] ?? '',
    placeClass: declared.placeClass ?? attributes['placeClass'] ?? '',
    timeOfDay: timeOfDay?.part ?? '',
    firmware: declared.firmware ?? attributes['firmware'] ?? '',
    models: declared.models ?? {},
    operator: declared.operator ?? '',
    consent: consent?.id ?? '',
    consentScope: consent?.scope ?? [],
    consentExpiresAt: expiryOf(consent),
    licence: licence?.id ?? '',
    licenceScope: licence?.scope ?? [],
    licenceExpiresAt: expiryOf(licence),
    synthetic: synthetic !== undefined,
    generator: synthetic?.generator ?? '',
  };
}

function expiryOf(permission: Permission | undefined): string {
  return permission === undefined ? '' : (permission.expiresAt ?? NEVER);
}

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
  weather: 'string',
  placeClass: 'string',
  timeOfDay: 'string',
  firmware: 'string',
  models: 'map<string, string>',
  operator: 'string',
  consent: 'string',
  consentScope: 'list<string>',
  consentExpiresAt: 'string',
  licence: 'string',
  licenceScope: 'list<string>',
  licenceExpiresAt: 'string',
  synthetic: 'bool',
  generator: 'string',
} as const satisfies Record<keyof FilterableRecording, VariableType>;

/**
 * Compiles a CEL filter. The function that it gives throws where the expression cannot be evaluated for a recording, e.g.
 * because it asks for an attribute that this one lacks: what that means is for the caller to say.
 * @throws FleetError with `code`, pointing at the character
 */
export function compileRecordingFilter(where: string, code: ErrorCode): (recording: FilterableRecording) => boolean {
  const { evaluate } = compileExpression(where, VARIABLES, { syntax: code, type: code });
  return (recording) => evaluate(variablesOf(recording));
}

/** Named one by one: whoever calls may give more than a filter is to see. */
function variablesOf(recording: FilterableRecording): Record<string, ExpressionValue> {
  const { brief, label, ...rest } = recording;
  const known: FilterableCircumstances & typeof rest = { ...NO_CIRCUMSTANCES, ...rest };
  return Object.fromEntries(
    VARIABLE_NAMES.map((name) => [
      name,
      name === 'brief' ? (brief ?? '') : name === 'label' ? (label ?? '') : known[name],
    ]),
  );
}

const VARIABLE_NAMES = Object.keys(VARIABLES) as readonly (keyof typeof VARIABLES)[];
