/**
 * Why: loaded before a process under test (`node --import`), it counts every step that outlives the process, over all its
 * threads: files made, written, flushed, renamed and removed, messages, answers, statements of a projection. Right before the
 * chosen step it ends the process by SIGKILL, so that a test goes through every step instead of hoping that a timer hits one.
 * Nothing in the product knows of it.
 */
import fs from 'node:fs';
import files from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { Socket } from 'node:net';
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';
import { DIE_BEFORE, lastWords, type Order } from './dying-process.ts';
import { messagesIn } from './nats-frames.ts';

/** Messages that change something elsewhere: entries of the ledger, acknowledgements, receipts, states. */
const LASTING_SUBJECT = /^(?:ledger\.|\$JS\.ACK\.|\$KV\.|fleet\.[^.]+\.receipt)/;
const COUNTER = 'steps of this process';
const STANDARD_ERROR = 2;
const STEP = 0;
const LIMIT = 1;
/** 1 once the last step has come: the process hears no order any more, though its last message may still be on its way. */
const DYING = 2;
type Call = (this: unknown, ...parameters: unknown[]) => unknown;

const steps = sharedSteps();

/** Whether the step that comes now is the last one. */
function isLast(): boolean {
  if (Atomics.add(steps, STEP, 1) + 1 !== Atomics.load(steps, LIMIT)) return false;
  Atomics.store(steps, DYING, 1);
  return true;
}

function die(name: string): never {
  fs.writeSync(STANDARD_ERROR, lastWords({ step: Atomics.load(steps, LIMIT), name }));
  process.kill(process.pid, 'SIGKILL');
  throw new Error('unreachable: the process is gone');
}

/** One counter for all threads of the process. */
function sharedSteps(): Int32Array {
  if (!isMainThread) return new Int32Array(getEnvironmentData(COUNTER) as SharedArrayBuffer);
  const memory = new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT);
  setEnvironmentData(COUNTER, memory as never);
  const counter = new Int32Array(memory);
  counter[LIMIT] = Number(process.env[DIE_BEFORE] ?? 0);
  return counter;
}

function countCalls(owner: object, names: readonly string[], isStep: (parameters: unknown[]) => boolean): void {
  const calls = owner as Record<string, Call>;
  for (const name of names) {
    const original = calls[name] as Call;
    calls[name] = function counted(this: unknown, ...parameters: unknown[]): unknown {
      if (isStep(parameters) && isLast()) die(name);
      return original.apply(this, parameters);
    };
  }
}

const always = (): boolean => true;
const toWrite = ([, flags = 'r']: unknown[]): boolean => flags !== 'r';

async function countFiles(): Promise<void> {
  const handle = await files.open(process.execPath, 'r');
  const prototype = Object.getPrototypeOf(handle) as object;
  await handle.close();
  countCalls(prototype, ['write', 'writeFile', 'appendFile', 'sync', 'datasync', 'truncate'], always);
  countCalls(files, ['writeFile', 'appendFile', 'rename', 'rm', 'unlink', 'mkdir', 'mkdtemp', 'copyFile'], always);
  countCalls(files, ['open'], toWrite);
  countCalls(fs, ['fsync', 'fsyncSync', 'ftruncateSync', 'renameSync', 'rmSync', 'unlinkSync', 'mkdirSync'], always);
  countCalls(fs, ['openSync'], toWrite);
  // Not what it says itself.
  countCalls(fs, ['writeSync'], ([descriptor]) => Number(descriptor) > STANDARD_ERROR);
  syncBuiltinESMExports();
}

/** What stands before the last message in one write is sent: the process dies between two messages, not before both. */
function countMessages(): void {
  const sockets = Socket.prototype as unknown as Record<string, Call>;
  const original = sockets['write'] as Call;
  sockets['write'] = function counted(this: unknown, data: unknown, ...rest: unknown[]): unknown {
    for (const { offset, name } of lastingMessages(data)) {
      if (!isLast()) continue;
      if (offset === 0) die(name);
      return original.call(this, (data as Uint8Array).subarray(0, offset), () => die(name));
    }
    return original.call(this, data, ...rest);
  };
}

function lastingMessages(data: unknown): readonly { readonly offset: number; readonly name: string }[] {
  if (typeof data === 'string') return [{ offset: 0, name: `http ${data.split('\r\n')[0]?.slice(0, 40) ?? ''}` }];
  if (!(data instanceof Uint8Array)) return [];
  return messagesIn(data).filter(({ name }) => LASTING_SUBJECT.test(name));
}

async function countStatements(): Promise<void> {
  const { DuckDBConnection, DuckDBAppender, DuckDBPreparedStatement } = await import('@duckdb/node-api');
  countCalls(DuckDBConnection.prototype, ['run', 'createAppender'], always);
  countCalls(DuckDBAppender.prototype, ['closeSync'], always);
  countCalls(DuckDBPreparedStatement.prototype, ['run'], always);
}

await countFiles();
countMessages();
if (isMainThread) {
  await countStatements();
  process.on('message', ({ dieBefore }: Order) => {
    if (Atomics.load(steps, DYING) === 1) return;
    Atomics.store(steps, STEP, 0);
    Atomics.store(steps, LIMIT, dieBefore);
    process.send?.({ dieBefore });
  });
  // Waiting for orders does not keep a process alive.
  process.channel?.unref();
}
