/** Why: the standard that holds where none is named is a file of this package, so that whoever wonders can read it. */
import document from '../../standards/vehicle.json' with { type: 'json' };
import { parseStandard, type Standard } from './standard.ts';

let parsed: Standard | undefined;

/** The committed standard `vehicle`. */
export function defaultStandard(): Standard {
  parsed ??= parseStandard(document);
  return parsed;
}
