/** The one error type of operating failures: a closed code, the cause, typed details, and whether trying again can help. */
import { ERROR_TABLE, type ErrorCode } from './error-codes.ts';

export type ErrorDetails = Readonly<Record<string, string | number | boolean>>;

export type FleetErrorOptions = {
  readonly cause?: unknown;
  readonly details?: ErrorDetails;
};

/** An operating failure. `message` says what happened, to which thing, and what to do. */
export class FleetError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: FleetErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'FleetError';
    this.code = code;
    this.details = options.details ?? {};
    this.retryable = ERROR_TABLE[code].retryable;
  }

  /** The only way in from a `catch`: keeps a FleetError, wraps whatever else under `code`. */
  static from(thrown: unknown, code: ErrorCode = 'INTERNAL_UNEXPECTED'): FleetError {
    if (thrown instanceof FleetError) return thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new FleetError(code, message, { cause: thrown });
  }

  /** Plain form for JSON replies, `--json` output and ledger facts. */
  toJSON(): { code: ErrorCode; message: string; details: ErrorDetails } {
    return { code: this.code, message: this.message, details: this.details };
  }
}

/** Closes an exhaustive `switch`; reaching it is a programmer error. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`);
}
