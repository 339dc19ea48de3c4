/** Why: the control plane refuses what a vehicle could not run; that the vehicle refuses it too shows only when it is handed past it. */
import { BUCKETS, type DesiredState } from '@fleetloop/schemas';
import { Kvm } from '@nats-io/kv';
import { connect, credsAuthenticator } from '@nats-io/transport-node';
import type { IngestBench } from '../ingest/control-plane-process.ts';

type Campaigns = readonly (object & { readonly id: string })[];

/** Replaces the campaigns in the desired state of a vehicle, whatever they are worth. */
export async function changeDesired(
  { nats }: IngestBench,
  vehicleId: string,
  change: (campaigns: Campaigns) => readonly object[],
): Promise<void> {
  const creds = new TextEncoder().encode(nats.serviceUser.creds);
  const connection = await connect({ servers: nats.url, authenticator: credsAuthenticator(creds) });
  try {
    const bucket = await new Kvm(connection).open(BUCKETS.desired);
    const entry = await bucket.get(vehicleId);
    if (entry === null) throw new Error(`${vehicleId} has no desired state`);
    const state: DesiredState = entry.json();
    const next = { ...state, version: state.version + 1, campaigns: change(state.campaigns) };
    await bucket.update(vehicleId, JSON.stringify(next), entry.revision);
  } finally {
    await connection.close();
  }
}
