/** What the COVESA catalogue says of a signal: every numeric and boolean leaf of VSS, instances included, and our overlay. */
import { OVERLAY_SIGNALS } from './overlay.ts';
import { VSS_INSTANCES, VSS_LEAVES } from './vss-leaves.ts';

/** One leaf. Messages carry every number as a double and a boolean as 0 or 1. */
export type CatalogueSignal = {
  readonly path: string;
  /** Unit key of the VSS catalogue; empty for counts, categories and booleans. */
  readonly unit: string;
};

/** Leaves by path without instances. */
const UNIT_BY_LEAF: ReadonlyMap<string, string> = new Map(
  Object.entries(VSS_LEAVES).flatMap(([branch, leaves]) =>
    leaves.split(' ').map((leaf): [string, string] => {
      const [name = '', unit = ''] = leaf.split(':');
      return [`${branch}.${name}`, unit];
    }),
  ),
);

const OVERLAY: ReadonlyMap<string, CatalogueSignal> = new Map(OVERLAY_SIGNALS.map((signal) => [signal.path, signal]));

/** The catalogue's or the overlay's entry of a path (exact case, instances written out: `Axle.Row1.Wheel.Left`), or undefined. */
export function findSignal(path: string): CatalogueSignal | undefined {
  const known = OVERLAY.get(path);
  if (known !== undefined) return known;
  const leaf = withoutInstances(path);
  const unit = leaf === undefined ? undefined : UNIT_BY_LEAF.get(leaf);
  return unit === undefined ? undefined : { path, unit };
}

/** All leaves of the catalogue, each once, without instances. */
export function catalogueLeaves(): readonly CatalogueSignal[] {
  return [...UNIT_BY_LEAF].map(([path, unit]) => ({ path, unit }));
}

/** Undefined when a branch that has instances is not followed by one of them. */
function withoutInstances(path: string): string | undefined {
  const parts = path.split('.');
  let branch = '';
  for (let index = 0; index < parts.length; index += 1) {
    branch = branch === '' ? (parts[index] ?? '') : `${branch}.${parts[index]}`;
    const levels = Object.hasOwn(VSS_INSTANCES, branch) ? (VSS_INSTANCES[branch] ?? []) : [];
    for (const instances of levels) {
      index += 1;
      if (!instances.includes(parts[index] ?? '')) return undefined;
    }
  }
  return branch;
}
