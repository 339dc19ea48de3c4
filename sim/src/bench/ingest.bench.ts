/** Ingest: recordings from two vehicles through a real nats-server into a real control-plane process, verified and catalogued. */
import type { ApiClient, RecordingPage } from '@fleetloop/control-plane';
import { startBenchServers } from './bench-servers.ts';
import { BenchVehicle, makeBenchRecording, type PreparedUpload } from './bench-vehicle.ts';
import { type Bench, repeat } from './measurement.ts';

const VEHICLES = 2;
const RECORDINGS_PER_VEHICLE = 3;
const RECORDING_BYTES = 24 * 1024 * 1024;
const BYTES_PER_MB = 1e6;
/** Doubles per message: about 1 kB with their field tags. */
const VALUES_PER_MESSAGE = 110;

export const ingestBench: Bench = {
  name: 'ingest',
  description: `${VEHICLES * RECORDINGS_PER_VEHICLE} recordings of 24 MiB with 1 kB messages, uploaded, verified and catalogued`,
  run: async ({ repeats, signal }) => {
    await using resources = new AsyncDisposableStack();
    const { api, nats } = await startBenchServers(signal, resources);
    const vehicles = await Promise.all(
      Array.from({ length: VEHICLES }, async (_, index) => BenchVehicle.enrol(api, nats.url, `bench-${index}`)),
    );
    for (const vehicle of vehicles) resources.use(vehicle);
    let round = 0;
    const figure = await repeat(repeats, async () => {
      round += 1;
      return measureRound(api, vehicles, round);
    });
    return [
      {
        bench: 'ingest',
        figure: 'uploads of vehicles, verified and catalogued',
        unit: 'MB/s',
        ...figure,
        target: { atLeast: 150 },
      },
    ];
  },
};

/** From the first chunk sent to the last recording in the catalogue; making and hashing the recordings is not counted. */
async function measureRound(api: ApiClient, vehicles: readonly BenchVehicle[], round: number): Promise<number> {
  const uploads = vehicles.flatMap((vehicle) =>
    Array.from({ length: RECORDINGS_PER_VEHICLE }, (_, index) => ({
      vehicle,
      eventId: `ev-${vehicle.id}-${round}-${index}`,
    })),
  );
  const prepared: { readonly vehicle: BenchVehicle; readonly upload: PreparedUpload }[] = [];
  for (const { vehicle, eventId } of uploads) {
    const bytes = await makeBenchRecording({
      vehicleId: vehicle.id,
      eventId,
      sizeBytes: RECORDING_BYTES,
      valuesPerMessage: VALUES_PER_MESSAGE,
    });
    prepared.push({ vehicle, upload: vehicle.prepare(eventId, bytes) });
  }
  const totalBytes = prepared.reduce((sum, { upload }) => sum + upload.sizeBytes, 0);
  const startedMs = performance.now();
  await Promise.all(
    vehicles.map(async (vehicle) => {
      for (const each of prepared) if (each.vehicle === vehicle) await vehicle.upload(each.upload);
      await vehicle.allVerified();
    }),
  );
  while ((await cataloguedIn(api, round)) < prepared.length);
  return totalBytes / BYTES_PER_MB / ((performance.now() - startedMs) / 1_000);
}

async function cataloguedIn(api: ApiClient, round: number): Promise<number> {
  const { recordings } = await api.get<RecordingPage>('/v1/recordings', { query: { limit: 1_000 } });
  return recordings.filter(({ event }) => event?.includes(`-${round}-`) === true).length;
}
