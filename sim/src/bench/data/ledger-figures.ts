/** How fast the ledger takes entries, verifies them from an export, proves one, and gives its projection back. */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import {
  Checkpointer,
  DuckdbProjection,
  FolderCheckpoints,
  LEDGER_ORIGIN,
  NatsLedger,
  openExport,
  parseVerifierKey,
  ThreadedEntryChecks,
  verifyLedger,
  writeExport,
} from '@fleetloop/control-plane';
import type { NewFact } from '@fleetloop/schemas';
import { generateSigningKey } from '@fleetloop/schemas/crypto';
import { connect, credsAuthenticator } from '@nats-io/transport-node';
import { mkdir } from 'node:fs/promises';
import { cacheFolder } from '../../stack/cache-folder.ts';
import { findServer } from '../../stack/find-server.ts';
import { findFreePorts } from '../../stack/free-port.ts';
import { startNatsServer } from '../../stack/nats-server.ts';
import { NATS_SERVER } from '../../stack/server-release.ts';
import type { Figure, FigureContext } from '../figure.ts';
import { type Measurement, repeat } from '../measurement.ts';
import { FinishedLedger } from './finished-ledger.ts';
import { fleetFacts } from './ledger-workload.ts';

const APPENDED = 20_000;
const BATCH_FACTS = 200;
const VERIFIED = 200_000;
const REBUILT = 50_000;
const PROOFS = 500;
const WAIT_MS = 600_000;

export const ledgerFigures: readonly Figure[] = [
  { name: 'ledger append', run: measureAppends },
  { name: 'ledger verify', run: measureVerify },
  { name: 'ledger rebuild', run: measureRebuild },
];

type Opened = { readonly ledger: NatsLedger };

/** A ledger on a nats-server of its own, which flushes each append to the disk. */
async function openLedger({ folder, signal }: FigureContext, resources: AsyncDisposableStack): Promise<Opened> {
  const common = { onProgress: () => {}, signal };
  const binary = await findServer(NATS_SERVER, { cache: cacheFolder(), ...common });
  const [port = 0] = await findFreePorts(1);
  await mkdir(join(folder, 'nats'));
  const server = { binary, folder: join(folder, 'nats'), logFile: join(folder, 'nats.log'), port, ...common };
  const nats = await startNatsServer(server, resources);
  const authenticator = credsAuthenticator(new TextEncoder().encode(nats.serviceUser.creds));
  const connection = resources.adopt(await connect({ servers: nats.url, authenticator }), async (open) => open.close());
  return { ledger: await NatsLedger.open(connection, { now: () => new Date() }) };
}

async function measureAppends(context: FigureContext): Promise<readonly Measurement[]> {
  await using resources = new AsyncDisposableStack();
  const { ledger } = await openLedger(context, resources);
  const facts = [...fleetFacts(APPENDED)];
  const figure = await repeat(context.repeats, async () =>
    perSecond(facts.length, async () => appendAll(ledger, facts)),
  );
  const what = `ledger appends, flushed to disk, in atomic batches of ${BATCH_FACTS}`;
  return [{ bench: 'data', figure: what, unit: 'entries/s', ...figure, target: { atLeast: 8_000 } }];
}

async function measureVerify(context: FigureContext): Promise<readonly Measurement[]> {
  const { folder, repeats, onProgress } = context;
  onProgress(`writing an export of ${VERIFIED} entries`);
  await using resources = new AsyncDisposableStack();
  const ledger = new FinishedLedger(() => fleetFacts(VERIFIED));
  const store = resources.use(await FolderCheckpoints.open(join(folder, 'checkpoints')));
  const signer = { name: LEDGER_ORIGIN, ...generateSigningKey() };
  const checkpoints = resources.use(await Checkpointer.start({ ledger, store, signer, entriesMax: 1_000 }));
  while (store.leafCount() < VERIFIED) await checkpoints.signNow().catch(retryWhileItFollows);
  const file = join(folder, 'ledger.export');
  const source = { key: checkpoints.verifierKey, checkpoints: await checkpoints.history(10_000), size: VERIFIED };
  const entries = ledger.read({ fromSequence: 1 });
  await pipeline(writeExport({ ...source, leaves: checkpoints.leaves(0, VERIFIED), entries }), createWriteStream(file));
  const verify = async (): Promise<number> => perSecond(VERIFIED, async () => verifyExport(file));
  const row = { bench: 'data', unit: 'entries/s', target: { atLeast: 100_000 } };
  const verified = {
    ...row,
    figure: `ledger verify, an export of ${VERIFIED} entries`,
    ...(await repeat(repeats, verify)),
  };
  return [verified, await measureProofs(checkpoints, repeats)];
}

async function measureProofs(checkpoints: Checkpointer, repeats: number): Promise<Measurement> {
  const prove = async (): Promise<number> => {
    const startedMs = performance.now();
    for (let index = 0; index < PROOFS; index += 1)
      await checkpoints.inclusion(Math.floor((index / PROOFS) * VERIFIED), VERIFIED);
    return (performance.now() - startedMs) / PROOFS;
  };
  return {
    bench: 'data',
    figure: `inclusion proof among ${VERIFIED} entries`,
    unit: 'ms',
    ...(await repeat(repeats, prove)),
  };
}

async function verifyExport(file: string): Promise<void> {
  const { header, checkpoints, leaves, entries } = await openExport(file);
  await using checks = new ThreadedEntryChecks();
  const verifier = parseVerifierKey(header.key);
  const evidence = { entries: entries(), leaves: leaves(), checkpoints, verifier, checks, isWhole: true };
  const verdict = await verifyLedger(evidence);
  if (!verdict.ok || verdict.entries !== VERIFIED)
    throw new Error(`the export does not verify: ${JSON.stringify(verdict)}`);
}

async function measureRebuild(context: FigureContext): Promise<readonly Measurement[]> {
  const { folder, repeats, onProgress } = context;
  await using resources = new AsyncDisposableStack();
  const { ledger } = await openLedger(context, resources);
  onProgress(`appending ${REBUILT} entries`);
  await appendAll(ledger, [...fleetFacts(REBUILT)]);
  const projection = resources.use(await DuckdbProjection.open({ folder: join(folder, 'projection'), ledger }));
  const deadlineMs = performance.now() + WAIT_MS;
  while (projection.appliedSequence() < REBUILT && performance.now() < deadlineMs)
    await projection.waitFor(projection.appliedSequence() + 1);
  const seconds: number[] = [];
  const figure = await repeat(repeats, async () => {
    const report = await projection.rebuild(context.signal);
    if (!report.same) throw new Error('the rebuilt projection gives other answers');
    seconds.push(report.seconds);
    return REBUILT / report.seconds;
  });
  const what = `projection rebuilt from ${REBUILT} entries, compared and swapped in`;
  return [{ bench: 'data', figure: what, unit: 'entries/s', ...figure, target: { atLeast: 50_000 } }];
}

async function appendAll(ledger: NatsLedger, facts: readonly NewFact[]): Promise<void> {
  for (let from = 0; from < facts.length; from += BATCH_FACTS)
    await ledger.append(facts.slice(from, from + BATCH_FACTS));
}

async function perSecond(count: number, work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return (count * 1_000) / (performance.now() - startedMs);
}

/** Signing waits ten seconds for the checkpointer to catch up, which a long ledger takes longer than. */
function retryWhileItFollows(error: unknown): void {
  if (!(error instanceof Error) || !error.message.includes('did not reach')) throw error;
}
