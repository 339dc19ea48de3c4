/** The message formats that a ULog file declares, laid out for reading: nested types, arrays, and padding. */

/** Most formats of a file, and fields of a format. */
export const ULOG_FORMATS_MAX = 1_024;
const FIELDS_MAX = 1_024;
/** Deepest nesting of types in types. */
const DEPTH_MAX = 8;
/** A data message can be no longer. */
export const ULOG_MESSAGE_BYTES_MAX = 65_535;

const SIZES = {
  int8_t: 1,
  uint8_t: 1,
  int16_t: 2,
  uint16_t: 2,
  int32_t: 4,
  uint32_t: 4,
  int64_t: 8,
  uint64_t: 8,
  float: 4,
  double: 8,
  bool: 1,
  char: 1,
} as const;
export type UlogPrimitive = keyof typeof SIZES;

/** A field at its place. `count` is undefined for a single value; a `char` array is a text. */
export type UlogField = {
  readonly name: string;
  readonly type: UlogPrimitive | UlogLayout;
  readonly count: number | undefined;
  readonly offset: number;
  readonly isPadding: boolean;
};
export type UlogLayout = { readonly name: string; readonly sizeBytes: number; readonly fields: readonly UlogField[] };

/** A field as the file writes it: `float[3] xyz`. */
export type UlogDeclaration = { readonly type: string; readonly count: number | undefined; readonly name: string };

/** Reads `type name` or `type[n] name`. Throws a plain error for anything else. */
export function parseUlogDeclaration(text: string): UlogDeclaration {
  const match = /^([A-Za-z_]\w*)(?:\[(\d{1,5})\])? ([A-Za-z_][\w. -]*)$/.exec(text.trim());
  if (match === null) throw new Error(`"${text.slice(0, 80)}" declares no field`);
  return { type: match[1] ?? '', count: match[2] === undefined ? undefined : Number(match[2]), name: match[3] ?? '' };
}

export function isUlogPrimitive(type: string): type is UlogPrimitive {
  return Object.hasOwn(SIZES, type);
}

/** Bytes of one value of a type. */
export function ulogSizeBytes(type: UlogPrimitive | UlogLayout): number {
  return typeof type === 'string' ? SIZES[type] : type.sizeBytes;
}

/** Knows the formats of one file. Its methods throw plain errors; the caller adds where. */
export type UlogFormats = {
  /** Takes `name:type field;type field;…`. */
  readonly declare: (text: string) => void;
  readonly layoutOf: (name: string) => UlogLayout;
};

export function makeUlogFormats(): UlogFormats {
  const declared = new Map<string, readonly UlogDeclaration[]>();
  const layouts = new Map<string, UlogLayout>();
  const layoutOf = (name: string, depth: number): UlogLayout => {
    const known = layouts.get(name);
    if (known !== undefined) return known;
    const declarations = declared.get(name);
    if (declarations === undefined) throw new Error(`no format ${name} is declared`);
    if (depth > DEPTH_MAX) throw new Error(`format ${name} is nested more than ${DEPTH_MAX} deep`);
    const layout = layOut(name, declarations, (type) => layoutOf(type, depth + 1));
    layouts.set(name, layout);
    return layout;
  };
  return {
    declare: (text) => {
      const colon = text.indexOf(':');
      const name = text.slice(0, colon);
      if (colon < 1) throw new Error('a format has no name');
      if (declared.size >= ULOG_FORMATS_MAX) throw new Error(`the file declares more than ${ULOG_FORMATS_MAX} formats`);
      const fields = text
        .slice(colon + 1)
        .split(';')
        .filter((field) => field.trim() !== '');
      if (fields.length > FIELDS_MAX) throw new Error(`format ${name} has more than ${FIELDS_MAX} fields`);
      declared.set(name, fields.map(parseUlogDeclaration));
    },
    layoutOf: (name) => layoutOf(name, 0),
  };
}

function layOut(
  name: string,
  declarations: readonly UlogDeclaration[],
  nested: (type: string) => UlogLayout,
): UlogLayout {
  const fields: UlogField[] = [];
  let sizeBytes = 0;
  for (const { type: typeName, count, name: fieldName } of declarations) {
    const type = isUlogPrimitive(typeName) ? typeName : nested(typeName);
    fields.push({ name: fieldName, type, count, offset: sizeBytes, isPadding: fieldName.startsWith('_padding') });
    sizeBytes += ulogSizeBytes(type) * (count ?? 1);
    if (sizeBytes > ULOG_MESSAGE_BYTES_MAX)
      throw new Error(`format ${name} is longer than the ${ULOG_MESSAGE_BYTES_MAX} bytes that a message can have`);
  }
  return { name, sizeBytes, fields };
}
