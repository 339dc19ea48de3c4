/** The process that publishes to the agent that is measured: what it costs is not the agent's. Takes a `LiveWork` as JSON. */
import { type LiveWork, publishLive } from './live-workload.ts';

const controller = new AbortController();
process.once('SIGTERM', () => controller.abort());
await publishLive(JSON.parse(process.argv[2] ?? '{}') as LiveWork, controller.signal);
