/** A process of the vehicle that publishes its speed: `node edge-agent/examples/publish.ts <socket> [messages]`. */
import { connectPublisher } from '@fleetloop/edge-agent/publish';

const [, , socketPath = '/run/fleetloop/agent.sock', count = '100'] = process.argv;

await using publisher = connectPublisher({ socketPath, name: 'example' });
const speed = publisher.declareSignals({
  topic: '/vss/Vehicle',
  signals: [{ path: 'Vehicle.Speed', unit: 'm/s' }],
  rateHz: 50,
  // Stamps since boot: the agent finds the offset, and says in each recording how sure it is.
  clock: { kind: 'boot' },
});
await publisher.ready(AbortSignal.timeout(10_000));

for (let index = 0; index < Number(count); index += 1) {
  const isTaken = speed.publish([10 + Math.sin(index / 10)], { stampNs: process.hrtime.bigint() });
  if (!isTaken) console.error('the queue is full');
  await new Promise((resolve) => setTimeout(resolve, 20));
}
await publisher.flush(AbortSignal.timeout(10_000));
console.log(JSON.stringify(publisher.statistics));
