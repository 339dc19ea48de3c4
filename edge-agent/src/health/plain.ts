/** Makes JSON of what the stages explain: times are bigints inside and decimal texts outside, as in every document of ours. */

export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain };

/** A copy that JSON can hold; absent values are left out, maps become objects. */
export function toPlain(value: unknown): Plain {
  switch (typeof value) {
    case 'bigint':
      return value.toString();
    case 'number':
      return Number.isFinite(value) ? value : null;
    case 'string':
    case 'boolean':
      return value;
    case 'object':
      return value === null ? null : objectToPlain(value);
    default:
      return null;
  }
}

function objectToPlain(value: object): Plain {
  if (Array.isArray(value)) return value.map(toPlain);
  if (value instanceof Set) return [...value].map(toPlain);
  const entries =
    value instanceof Map
      ? [...value].map(([key, each]): [string, unknown] => [String(key), each])
      : Object.entries(value);
  return Object.fromEntries(
    entries.filter(([, each]) => each !== undefined).map(([key, each]) => [key, toPlain(each)]),
  );
}
