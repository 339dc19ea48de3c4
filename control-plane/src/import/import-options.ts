/** The options of `fleetloop import` and the specification that they make. */
import { FleetError } from '@fleetloop/schemas';
import type { Command } from 'commander';
import type { ImportSpecification } from './import-plan.ts';

export type ImportOptions = {
  readonly spec?: string;
  readonly mapping?: string;
  readonly pattern: readonly string[];
  readonly vehicle?: string;
  readonly hardware?: string;
  readonly software?: string;
  readonly firmware?: string;
  readonly model: readonly string[];
  readonly operator?: string;
  readonly weather?: string;
  readonly place?: string;
  readonly consent?: string;
  readonly licence?: string;
  readonly synthetic?: string;
  readonly label?: string;
  readonly method?: string;
  readonly attribute: readonly string[];
  readonly root?: string;
  readonly detach?: true;
  readonly json?: true;
};

const append = (value: string, former: readonly string[]): readonly string[] => [...former, value];
const NONE: readonly string[] = [];

/** Adds the options; everything that describes a run may stand in a specification file instead. */
export function addImportOptions(command: Command): Command {
  return command
    .option('--spec <file>', 'an import specification: many runs in one JSON file, instead of the options below')
    .option('--mapping <file>', 'the mapping that says what the columns mean; MCAP, ULog and candump need none')
    .option('--pattern <glob>', 'names of the files in a folder that are runs; may be given again', append, NONE)
    .option('--vehicle <id>', 'the vehicle that drove')
    .option('--hardware <revision>', 'its hardware revision')
    .option('--software <version>', 'its software version')
    .option('--firmware <version>', 'its firmware')
    .option('--model <name=version>', 'a model that ran on it; may be given again', append, NONE)
    .option('--operator <name>', 'who drove or was responsible')
    .option('--weather <text>', 'the weather')
    .option('--place <class>', 'the kind of place, e.g. urban, motorway, test-site')
    .option(
      '--consent <id,scope=…,expires=…>',
      'consent that covers the recordings, e.g. form-7,scope=training+evaluation',
    )
    .option(
      '--licence <id,scope=…,expires=…>',
      'licence of the recordings, e.g. CC-BY-4.0,scope=training,expires=2027-01-01T00:00:00Z',
    )
    .option('--synthetic <generator=…,version=…,seed=…>', 'the runs come from a simulation: its name, version and seed')
    .option('--label <label>', 'label of all runs')
    .option('--method <text>', 'how the label was found')
    .option('--attribute <key=value>', 'an attribute of the sessions; may be given again', append, NONE)
    .option(
      '--root <name>',
      'import on the control plane, from this folder of its import.roots; sources count from there',
    )
    .option('--detach', 'with --root: do not wait for the end')
    .option('--json', 'print the report as JSON');
}

/** @throws FleetError IMPORT_INVALID for an option that is not written as its help says */
export function specificationOf(sources: readonly string[], options: ImportOptions): ImportSpecification {
  const { mapping, vehicle, hardware, software, firmware, operator, weather, place, label, method } = options;
  const { consent, licence, synthetic, pattern, model, attribute } = options;
  return {
    kind: 'import-specification',
    mapping,
    patterns: pattern.length === 0 ? undefined : [...pattern],
    vehicle,
    hardwareRevision: hardware,
    softwareVersion: software,
    firmware,
    models: model.length === 0 ? undefined : Object.fromEntries(model.map((text) => pairOf('--model', text))),
    operator,
    weather,
    placeClass: place,
    consent: consent === undefined ? undefined : permissionOf('--consent', consent),
    licence: licence === undefined ? undefined : permissionOf('--licence', licence),
    synthetic: synthetic === undefined ? undefined : syntheticOf(synthetic),
    label,
    method,
    attributes: Object.fromEntries(attribute.map((text) => pairOf('--attribute', text))),
    runs: sources.map((source) => ({ source })),
  };
}

function pairOf(option: string, text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new FleetError('IMPORT_INVALID', `${option} takes key=value, not ${JSON.stringify(text)}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** `id,scope=a+b,expires=RFC 3339`. */
function permissionOf(option: string, text: string): NonNullable<ImportSpecification['consent']> {
  const [id = '', ...rest] = text.split(',');
  const { scope, expires, ...others } = Object.fromEntries(rest.map((part) => pairOf(option, part)));
  const [unknown] = Object.keys(others);
  if (unknown !== undefined || id === '')
    throw new FleetError('IMPORT_INVALID', `${option} takes id,scope=…,expires=…, not ${JSON.stringify(text)}`);
  return {
    id,
    scope: scope === undefined || scope === '' ? [] : scope.split('+'),
    ...(expires === undefined ? {} : { expiresAt: expires }),
  };
}

function syntheticOf(text: string): NonNullable<ImportSpecification['synthetic']> {
  const {
    generator = '',
    version = '',
    seed = '',
    ...others
  } = Object.fromEntries(text.split(',').map((part) => pairOf('--synthetic', part)));
  if (Object.keys(others).length > 0 || generator === '' || version === '' || seed === '')
    throw new FleetError(
      'IMPORT_INVALID',
      `--synthetic takes generator=…,version=…,seed=…, all three, not ${JSON.stringify(text)}`,
    );
  return { generator, version, seed };
}
