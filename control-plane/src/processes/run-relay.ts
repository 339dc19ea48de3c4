/** The relay process of one region: takes uploads beside its nats-server and brings them to the centre. */
import { join } from 'node:path';
import { toBinary } from '@bufbuild/protobuf';
import { parseVehicleId, STREAMS, subjects } from '@fleetloop/schemas';
import { ReceiptSchema } from '@fleetloop/schemas/wire';
import type { Logger } from 'pino';
import { FolderHeld } from '../adapters/folder-held.ts';
import { FolderQuarantine } from '../adapters/folder-quarantine.ts';
import { FolderAssemblies, FolderStaging } from '../adapters/folder-staging.ts';
import { NatsCentre } from '../adapters/nats-centre.ts';
import { connectNats } from '../adapters/nats-connection.ts';
import { ensureRegion, inRegion, RegionOutcomes } from '../adapters/nats-region.ts';
import { forwardReports } from '../adapters/nats-region-reports.ts';
import { consumeUplink, VEHICLE_LANES } from '../adapters/nats-uplink.ts';
import { ThreadedAssembler } from '../adapters/recording-assembler.ts';
import { RememberingRegistry } from '../ingest/vehicle-registry.ts';
import { Forwarder } from '../relay/forwarder.ts';
import type { TellVehicle } from '../relay/ports.ts';
import type { RelayConfig } from '../relay/relay-config.ts';
import { RelayIntake } from '../relay/relay-intake.ts';
import { RelayRoom } from '../relay/relay-room.ts';

/** Staged chunks are kept at a start whatever their age: some belong to recordings that were promised. */
const KEEP_ALL = 0;

export type RelayOptions = {
  readonly config: RelayConfig;
  readonly logger: Logger;
  /** Stops the process when it aborts. */
  readonly signal: AbortSignal;
  readonly onReady: () => void;
};

/** Runs until `signal` aborts. @throws FleetError when a part cannot be started */
export async function runRelay({ config, logger, signal, onReady }: RelayOptions): Promise<void> {
  const { name, limits } = config;
  logger.info({ config: { ...config, nats: { url: config.nats.url } } }, 'relay.starting');
  await using resources = new AsyncDisposableStack();
  const connection = resources.adopt(await connectNats(config.nats, name), async (open) => open.close());
  await ensureRegion(connection, config);
  const folder = (part: string): string => join(config.dataDir, part);
  const nowMs = (): number => performance.now();
  const staging = await FolderStaging.open(folder('staging'), KEEP_ALL);
  const held = await FolderHeld.open(folder('held'));
  const outcomes = await RegionOutcomes.open(connection);
  const centre = new NatsCentre(connection, name);
  const room = new RelayRoom(limits.heldBytesMax, nowMs);
  const tell: TellVehicle = (vehicleId, receipt) =>
    connection.publish(subjects.receipt(parseVehicleId(vehicleId)), toBinary(ReceiptSchema, receipt));
  const forward = new Forwarder({ centre, staging, held, outcomes, room, tell, logger });
  await takeUp({ staging, held, room, forward, recordingBytesMax: limits.recordingBytesMax });
  const safety = resources.use(new ThreadedAssembler());
  const others = resources.use(new ThreadedAssembler());
  const intake = new RelayIntake({
    name,
    registry: new RememberingRegistry(await inRegion(connection), nowMs),
    staging,
    assemblies: await FolderAssemblies.open(folder('assembly')),
    assemblerOf: (priority) => (priority === 'safety' ? safety : others),
    quarantine: await FolderQuarantine.open(folder('quarantine'), limits.quarantineBytesMax),
    room,
    held,
    outcomes,
    centre,
    forward,
    recordingBytesMax: limits.recordingBytesMax,
  });
  const queue = { stream: STREAMS.regional, consumer: 'relay', lanes: VEHICLE_LANES };
  const work = Promise.all([
    consumeUplink({ connection, intake, concurrency: limits.concurrency, logger, ...queue }, signal),
    forward.run(signal),
    forwardReports({ connection, hubDomain: config.hubDomain, logger }, signal),
  ]);
  onReady();
  await work;
  logger.info('relay.stopping');
}

/** What a former process of this relay has left: its promises first, so that their chunks are not taken for unclaimed ones. */
async function takeUp(parts: {
  readonly staging: FolderStaging;
  readonly held: FolderHeld;
  readonly room: RelayRoom;
  readonly forward: Forwarder;
  readonly recordingBytesMax: number;
}): Promise<void> {
  for await (const chunk of parts.staging.contents()) parts.room.add(chunk);
  const { manifests, reports } = await parts.held.contents(parts.recordingBytesMax);
  for (const manifest of manifests) {
    parts.room.promise(manifest.vehicleId, manifest.chunks);
    parts.forward.addRecording(manifest);
  }
  for (const { refused, ...report } of reports) parts.forward.addReport(refused, report);
}
