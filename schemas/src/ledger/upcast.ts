/**
 * Why: facts outlive the release that wrote them. An entry says which version of its kind's body it was written in; its
 * bytes are never touched, and code sees the newest version only, because each former version says how it becomes the
 * next one. An optional field is not a new version: a field that changes its meaning, its unit, its name, or that becomes
 * required is.
 */
import { z } from 'zod';
import { FleetError } from '../errors/fleet-error.ts';
import { FACTS, type FactKind } from './facts.ts';

/** A body as it was once written, and what it reads as in the version after it. Pure: no clock, no other entry. */
export type FormerVersion = {
  readonly schema: z.ZodType;
  readonly upcast: (body: never) => unknown;
};

/** All versions of one kind's body: those before the newest, oldest first, and the newest. */
export type BodyVersions = { readonly former: readonly FormerVersion[]; readonly newest: z.ZodType };

/** Former versions by kind: the first of a list is version 1. A kind that is not named has only ever had one. */
export const FORMER_FACTS: { readonly [Kind in FactKind]?: readonly FormerVersion[] } = {};

/** Most versions of one kind; replaying takes one step for each. */
export const FACT_VERSIONS_MAX = 64;

/** The version in which facts of a kind are written today. */
export function factVersion(kind: FactKind): number {
  return (FORMER_FACTS[kind]?.length ?? 0) + 1;
}

/** The body of an entry in its newest version. @throws FleetError LEDGER_ENTRY_INVALID */
export function readFactBody(kind: FactKind, version: number, body: unknown): unknown {
  return readerOf(kind)(version, body);
}

type BodyReader = (version: number, body: unknown) => unknown;
const readers = new Map<FactKind, BodyReader>();

/** Compiled at the first entry of a kind, which most processes never see of most kinds. */
function readerOf(kind: FactKind): BodyReader {
  const known = readers.get(kind);
  if (known !== undefined) return known;
  const reader = bodyReader(kind, { former: FORMER_FACTS[kind] ?? [], newest: FACTS[kind] });
  readers.set(kind, reader);
  return reader;
}

/**
 * A reader of bodies of any version that gives the newest one. `name` is what errors call it.
 * @throws FleetError CONFIG_INVALID for over FACT_VERSIONS_MAX versions; the reader LEDGER_ENTRY_INVALID
 */
export function bodyReader(name: string, { former, newest }: BodyVersions): BodyReader {
  if (former.length >= FACT_VERSIONS_MAX)
    throw new FleetError('CONFIG_INVALID', `${name} has over ${FACT_VERSIONS_MAX} versions`);
  const parsers = [...former.map(({ schema }) => schema), newest].map((schema) => bodyParser(name, schema));
  return (version, body) => {
    const parse = parsers[version - 1];
    if (parse === undefined)
      throw invalid(
        `${name} is known here up to version ${parsers.length}, and this entry has version ${version}: upgrade to the release that wrote it`,
      );
    let current = parse(body);
    for (const [step, { upcast }] of former.slice(version - 1).entries())
      current = (parsers[version + step] as (value: unknown) => unknown)(upcast(current as never));
    return current;
  };
}

function bodyParser(name: string, schema: z.ZodType): (body: unknown) => unknown {
  return (body) => {
    const parsed = schema.safeParse(body);
    if (!parsed.success) throw invalid(`the body of ${name} is not valid: ${z.prettifyError(parsed.error)}`);
    return parsed.data;
  };
}

function invalid(message: string): FleetError {
  return new FleetError('LEDGER_ENTRY_INVALID', message);
}
