/** Why: how a test tells a process, which was started with `die-at-step.ts`, where to die, and how it learns that it did. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

/** For `node --import`. */
export const PRELOAD = import.meta.resolve('./die-at-step.ts');
/** Environment variable for a process that counts from its start on. */
export const DIE_BEFORE = 'DIE_BEFORE_STEP';
/** Steps are counted from 1. */
export const NEVER = 0;
/** What may be said to a running process: count from here on, and die before this step. */
export type Order = { readonly dieBefore: number };
/** Before which step a process died. */
export type Death = { readonly step: number; readonly name: string };

/** The last words of a process; undefined when it did not die at a step. */
export function deathIn(standardError: string): Death | undefined {
  const [, step, name] = /^died before step (\d+): (.*)$/m.exec(standardError) ?? [];
  return step === undefined || name === undefined ? undefined : { step: Number(step), name };
}

export function lastWords({ step, name }: Death): string {
  return `died before step ${step}: ${name}\n`;
}

/** A process that dies at the steps that it is told. */
export class DyingProcess {
  /** Resolves when it has ended. */
  readonly ended: Promise<Death>;
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.ended = endOf(child);
  }

  /** Counts from now on; its death where it has come before the order. */
  async dieBefore(step: number): Promise<Death | undefined> {
    const heard = once(this.#child, 'message').then(() => undefined);
    // What cannot be sent any more is answered by its end.
    this.#child.send({ dieBefore: step } satisfies Order, () => {});
    return Promise.race([heard, this.ended]);
  }
}

async function endOf(child: ChildProcess): Promise<Death> {
  if (child.stderr === null) throw new Error('the process has no standard error to read');
  const [said] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  const death = deathIn(said);
  if (death === undefined) throw new Error(`the process ended with ${child.exitCode} at none of its steps: ${said}`);
  return death;
}
