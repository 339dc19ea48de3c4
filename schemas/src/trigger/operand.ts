/** The current value of one input, in a form that a compiled condition reads without looking anything up. */

/**
 * A number, or a bool as 0 and 1. NaN is "absent"; no input has NaN for a value. Changed in place for each message. It lies in an array, where
 * the guards of all conditions read it side by side.
 */
export class NumberOperand {
  cells: Float64Array;
  place = 0;

  constructor() {
    this.cells = Float64Array.of(Number.NaN);
  }

  get value(): number {
    return this.cells[this.place] as number;
  }

  set value(value: number) {
    this.cells[this.place] = value;
  }

  /** Its value from now on lies there. */
  moveTo(cells: Float64Array, place: number): void {
    cells[place] = this.value;
    this.cells = cells;
    this.place = place;
  }
}

/** A text, or undefined while absent. */
export class TextOperand {
  text: string | undefined = undefined;
}

export type Operand = NumberOperand | TextOperand;

/** An operand under its name in the expression, and how the expression sees it. */
export type NamedOperand = {
  readonly name: string;
  readonly type: 'double' | 'bool' | 'string';
  readonly operand: Operand;
};

export function isAbsent(operand: Operand): boolean {
  return operand instanceof TextOperand ? operand.text === undefined : Number.isNaN(operand.value);
}

/** The value as the expression language has it; undefined while absent. */
export function valueOf({ type, operand }: NamedOperand): number | boolean | string | undefined {
  if (operand instanceof TextOperand) return operand.text;
  if (Number.isNaN(operand.value)) return undefined;
  return type === 'bool' ? operand.value !== 0 : operand.value;
}
