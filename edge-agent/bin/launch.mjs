// Why: the memory of an agent is decided when its process starts; whoever starts one takes flags and environment from here. Plain
// JavaScript, as the command line reads it with the machine's own Node.
import { join } from 'node:path';

/** Node's flags for an agent. */
export const AGENT_NODE_FLAGS = [
  '--max-semi-space-size=1',
  // Room for a long backlog: the spool keeps up to 50,000 outcomes and an entry per waiting recording in memory.
  '--max-old-space-size=96',
  // Without a backlog the live set is about 20 MB: it is collected early and grows by a quarter, instead of filling the room first.
  '--initial-old-space-size=16',
  '--heap-growing-percent=25',
  '--optimize-for-size',
  // No threads beside the collector: their stacks and buffers are memory too. The larger compiler stays: with live messages it took
  // the CPU from 10.6 to 7.3 % of a core and cost about 6 MB.
  '--single-threaded-gc',
];

/** One malloc arena that gives memory back early; with compiled code in the cache the type stripper (about 18 MB) is never loaded. */
export const agentEnvironment = (cacheFolder) => ({
  MALLOC_ARENA_MAX: '1',
  MALLOC_TRIM_THRESHOLD_: '131072',
  MALLOC_MMAP_THRESHOLD_: '65536',
  NODE_COMPILE_CACHE: join(cacheFolder, 'compile-cache'),
});
