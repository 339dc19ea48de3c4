/** Chapter 1: six vehicles drive the 18 recorded drives, keep what the campaign asks for, and upload it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ApiClient, RecordingPage, RecordingView, VehicleDetails } from '@fleetloop/control-plane';
import { FleetError, type RecordingMetadata } from '@fleetloop/schemas';
import { fromMetadataRecords, type McapMetadataRecord, readRecording } from '@fleetloop/schemas/recording';
import { listedEvents } from '../../recordings/listed-events.ts';
import { CAN_VEHICLE, commaDrive, FLEET, shareDrives } from '../../world/fleet-plan.ts';
import type { VirtualFleet } from '../../world/virtual-fleet.ts';
import { waitUntil } from '../../world/wait-until.ts';
import type { DemoContext } from '../demo-context.ts';

const CAMPAIGNS_FOLDER = join(import.meta.dirname, '../../../campaigns');
const CAPTURE_TIMEOUT_MS = 180_000;
const LIST_LIMIT = 1_000;

export type CaptureOutcome = { readonly expected: number; readonly captured: number; readonly extra: number };

/** Publishes a committed campaign to vehicles. */
export async function pushCampaign(api: ApiClient, name: string, vehicles: readonly string[]): Promise<void> {
  const campaign: unknown = JSON.parse(await readFile(join(CAMPAIGNS_FOLDER, `${name}.json`), 'utf8'));
  await api.post('/v1/campaigns', { campaign, vehicles });
}

/** Drives everything and compares what is stored in the cloud with the recorder's own list of events. */
export async function captureDrives({ fleet, narrator, signal }: DemoContext): Promise<CaptureOutcome> {
  const operator = fleet.controlPlane.as('fleet-operator');
  const vehicles = FLEET.map((plan) => plan.vehicleId);
  await pushCampaign(operator, 'hard-manoeuvre', vehicles);
  await pushCampaign(operator, 'steering', [CAN_VEHICLE.vehicleId]);
  await Promise.all(vehicles.map(async (id) => campaignActive(operator, id, 'hard-manoeuvre', signal)));
  await campaignActive(operator, CAN_VEHICLE.vehicleId, 'steering', signal);
  const shares = shareDrives(vehicles.length);
  await Promise.all(vehicles.map(async (id, index) => fleet.vehicles.get(id)?.drive(shares[index] ?? [])));
  await fleet.vehicles.get(CAN_VEHICLE.vehicleId)?.drive([commaDrive()]);
  await Promise.all([
    ...vehicles.map(async (id, index) => drained(fleet, id, shares[index]?.length ?? 0, signal)),
    drained(fleet, CAN_VEHICLE.vehicleId, 1, signal),
  ]);
  // The drives are over: what the vehicles do later is not what these campaigns ask for.
  await Promise.all(
    ['hard-manoeuvre', 'steering'].map(async (id) =>
      operator.post(`/v1/campaigns/${id}/end`, { reason: 'the drives are over' }),
    ),
  );
  const recordings = await listRecordings(operator, 'source == "uplink" && session.startsWith("blackbox/")');
  const raw = await listRecordings(operator, `vehicle == "${CAN_VEHICLE.vehicleId}"`);
  if (raw.length === 0) throw new FleetError('NOT_FOUND', `${CAN_VEHICLE.vehicleId} kept nothing of its drive`);
  narrator.line(`${CAN_VEHICLE.vehicleId}: ${raw.length} recordings with raw CAN`);
  return compareWithList(await Promise.all(recordings.map(async (each) => storedMetadata(operator, each.recording))));
}

/** Waits until a vehicle has acknowledged a campaign as active. */
export async function campaignActive(
  api: ApiClient,
  vehicleId: string,
  campaign: string,
  signal: AbortSignal,
): Promise<void> {
  await waitUntil(
    async () => {
      const { reported } = await api.get<VehicleDetails>(`/v1/vehicles/${vehicleId}`);
      return reported?.campaigns.some((each) => each.id === campaign && each.state === 'active') === true
        ? true
        : undefined;
    },
    { what: `campaign ${campaign} active on ${vehicleId}`, timeoutMs: CAPTURE_TIMEOUT_MS, signal },
  );
}

/** Waits until a vehicle has driven `sessions` drives and everything it kept is verified in the cloud. */
async function drained(fleet: VirtualFleet, vehicleId: string, sessions: number, signal: AbortSignal): Promise<void> {
  const api = fleet.controlPlane.as('fleet-operator');
  await waitUntil(
    async () => {
      const { reported } = await api.get<VehicleDetails>(`/v1/vehicles/${vehicleId}`);
      return reported !== null && reported.source.sessionsDone >= sessions && reported.uplink.spooled === 0
        ? true
        : undefined;
    },
    { what: `drives and uploads of ${vehicleId}`, timeoutMs: CAPTURE_TIMEOUT_MS, signal },
  );
}

/** Recordings of the catalogue that match a CEL filter. */
export async function listRecordings(api: ApiClient, where: string): Promise<readonly RecordingView[]> {
  return (await api.get<RecordingPage>('/v1/recordings', { query: { where, limit: LIST_LIMIT } })).recordings;
}

/** The metadata inside the stored file itself, not what the catalogue says of it. */
async function storedMetadata(api: ApiClient, recording: string): Promise<RecordingMetadata> {
  const records: McapMetadataRecord[] = [];
  for await (const item of readRecording([await api.getBytes(`/v1/recordings/${recording}/content`)])) {
    if (item.kind === 'metadata') records.push(item.record);
  }
  return fromMetadataRecords(records);
}

/** Each listed event must lie at a trigger of exactly one recording; a recording without a listed event is extra. */
export function compareWithList(recordings: readonly RecordingMetadata[]): CaptureOutcome {
  const events = listedEvents();
  const holds = (recording: RecordingMetadata, event: (typeof events)[number]): boolean =>
    recording.session.name === event.session &&
    (recording.event?.triggers ?? []).some(
      ({ timeNs }) => BigInt(timeNs) >= event.startTimeNs && BigInt(timeNs) <= event.endTimeNs,
    );
  const captured = events.filter((event) => recordings.filter((recording) => holds(recording, event)).length === 1);
  const extra = recordings.filter((recording) => !events.some((event) => holds(recording, event)));
  return { expected: events.length, captured: captured.length, extra: extra.length };
}
