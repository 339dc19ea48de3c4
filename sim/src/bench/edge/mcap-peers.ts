/** Who writes MCAP beside us: each is a command that writes one file and says how long it took. Peers that cannot be installed are left out. */
import { join } from 'node:path';
import { AGENT_NODE_FLAGS, agentEnvironment } from '@fleetloop/edge-agent/launch';
import { FleetError } from '@fleetloop/schemas';
import { cacheFolder } from '../../stack/cache-folder.ts';
import { preparePythonEnvironment } from '../../stack/python-environment.ts';
import { runCommand } from '../../stack/run-command.ts';
import type { FigureContext } from '../figure.ts';
import { type McapCase, ZSTD_LEVEL } from './mcap-workload.ts';

const PEERS_FOLDER = join(import.meta.dirname, '../../../bench-peers');
const BUILD_TIMEOUT_MS = 900_000;

export type McapPeerName =
  | 'fleetloop'
  | 'fleetloop in runs'
  | 'fleetloop, agent flags'
  | '@mcap/core'
  | 'Rust mcap'
  | 'Python mcap';

export type McapPeer = {
  readonly name: McapPeerName;
  readonly command: string;
  readonly args: (work: McapCase, out: string, payloads: string) => readonly string[];
  readonly env?: Readonly<Record<string, string>>;
};

/** All that are here, ours first. */
export async function mcapPeers(context: FigureContext): Promise<readonly McapPeer[]> {
  const peers = [
    node('fleetloop', 'ours'),
    node('fleetloop in runs', 'ours-in-runs'),
    node('fleetloop, agent flags', 'ours', AGENT_NODE_FLAGS),
    node('@mcap/core', 'core'),
  ];
  for (const prepare of [rustPeer, pythonPeer]) {
    try {
      peers.push(await prepare(context));
    } catch (error) {
      context.signal.throwIfAborted();
      context.onProgress(`a peer is left out: ${FleetError.from(error).message}`);
    }
  }
  return peers;
}

/** Ours and @mcap/core run in the environment in which an agent is started, and with Node's default flags unless others are given. */
function node(name: McapPeerName, writer: string, flags: readonly string[] = []): McapPeer {
  return {
    name,
    command: process.execPath,
    args: (work, out, payloads) => [
      ...flags,
      join(import.meta.dirname, 'mcap-writing-child.ts'),
      writer,
      ...common(work, out, payloads),
    ],
    env: agentEnvironment(cacheFolder()),
  };
}

async function rustPeer({ signal, onProgress }: FigureContext): Promise<McapPeer> {
  const target = join(cacheFolder(), 'bench-peers', 'rust-mcap');
  const manifest = join(PEERS_FOLDER, 'rust-mcap', 'Cargo.toml');
  onProgress('building the Rust peer (a minute, once)');
  const args = ['build', '--release', '--locked', '--manifest-path', manifest, '--target-dir', target];
  await runCommand('cargo', args, { signal, timeoutMs: BUILD_TIMEOUT_MS });
  return {
    name: 'Rust mcap',
    command: join(target, 'release', 'mcap-writing-peer'),
    args: (work, out, payloads) => [...common(work, out, payloads), String(ZSTD_LEVEL)],
  };
}

async function pythonPeer({ signal, onProgress }: FigureContext): Promise<McapPeer> {
  const folder = join(PEERS_FOLDER, 'python-mcap');
  const requirements = join(folder, 'requirements.txt');
  const command = await preparePythonEnvironment({ requirements, cache: cacheFolder(), onProgress, signal });
  return {
    name: 'Python mcap',
    command,
    args: (work, out, payloads) => [join(folder, 'write_mcap.py'), ...common(work, out, payloads)],
  };
}

function common(work: McapCase, out: string, payloads: string): readonly string[] {
  return [out, payloads, String(work.messageBytes), String(work.messages), work.compression];
}
