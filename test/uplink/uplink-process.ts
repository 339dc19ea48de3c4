/** Why: what a killed uplink sends again is proven on a process that can be killed: recordings of a folder, one line for each that is verified. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NatsLink, nkeySigner, systemClock, Uplink } from '@fleetloop/edge-agent';
import { parseVehicleId } from '@fleetloop/schemas';
import { MemorySpool } from '@fleetloop/sim';
import { CHUNK_BYTES, QUIET } from './uplink-rig.ts';

/** Written at the first start: what is found later may have been sent in part. */
const STARTED = 'started';

const [natsUrl = '', vehicleId = '', jwt = '', seed = '', folder = ''] = process.argv.slice(2);
const spool = new MemorySpool();
const names = await readdir(folder);
for (const name of names.filter((each) => each.endsWith('.mcap')).toSorted()) {
  spool.put({
    eventId: name.slice(0, -'.mcap'.length),
    priority: 'normal',
    session: 'test/drive_01',
    campaignIds: ['hard-brake'],
    bytes: await readFile(join(folder, name)),
    chunkSizeBytes: CHUNK_BYTES,
    isResumed: names.includes(STARTED),
  });
}
await writeFile(join(folder, STARTED), '');
const id = parseVehicleId(vehicleId);
const link = new NatsLink({ vehicleId: id, url: natsUrl, jwt, seed, logger: QUIET });
const uplink = new Uplink({ vehicleId: id, spool, link, signer: nkeySigner(seed), clock: systemClock, logger: QUIET });
spool.onChange(() => {
  const last = spool.ends.at(-1);
  if (last !== undefined) process.stdout.write(`${last.eventId} ${last.outcome}\n`);
});
await uplink.run(new AbortController().signal);
