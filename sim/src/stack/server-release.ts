/**
 * Why: the servers that the loop needs are named here once, with the version that is pinned, the versions that are good
 * enough when the machine has one already, and where a release comes from.
 */

export type Platform = { readonly os: 'linux' | 'darwin'; readonly arch: 'amd64' | 'arm64' };

/** How a release archive is checked: by a digest known beforehand, or by the list that the release itself carries. */
export type ReleaseChecksum =
  | { readonly kind: 'pinned'; readonly sha256ByArchive: Readonly<Record<string, string>> }
  | { readonly kind: 'listed'; readonly fileName: string };

export type ServerRelease = {
  /** Name of the binary. */
  readonly name: string;
  readonly version: string;
  /** Reads `--version` output; true when that binary may be used in place of the pinned one. */
  readonly isGoodVersion: (versionOutput: string) => boolean;
  /** Folder URL of the release, without a slash at its end. */
  readonly downloadUrl: string;
  readonly archiveName: (platform: Platform) => string;
  readonly checksum: ReleaseChecksum;
  readonly goPackage: string;
  /** What a person does when nothing else works. */
  readonly remedy: string;
};

const NATS_SERVER_VERSION = '2.15.2';
const TEMPORAL_VERSION = '1.5.1';

/** The oldest nats-server with everything that the ledger uses. */
const NATS_SERVER_OLDEST = { major: 2, minor: 15 };

/** The Temporal server inside the CLI, which is what matters; `go install` builds report 0.0.0-DEV as their own version. */
const TEMPORAL_SERVER_OLDEST = { major: 1, minor: 29 };

export const NATS_SERVER: ServerRelease = {
  name: 'nats-server',
  version: NATS_SERVER_VERSION,
  isGoodVersion: (output) => isAtLeast(/nats-server: v(\d+)\.(\d+)\./.exec(output), NATS_SERVER_OLDEST),
  downloadUrl: `https://github.com/nats-io/nats-server/releases/download/v${NATS_SERVER_VERSION}`,
  archiveName: ({ os, arch }) => `nats-server-v${NATS_SERVER_VERSION}-${os}-${arch}.tar.gz`,
  // No digest of this release was at hand when it was pinned. The list comes over https from the same release, so it
  // catches a broken or mixed-up download, but not a release page that somebody replaced.
  checksum: { kind: 'listed', fileName: 'SHA256SUMS' },
  goPackage: `github.com/nats-io/nats-server/v2@v${NATS_SERVER_VERSION}`,
  remedy: `put nats-server ${NATS_SERVER_OLDEST.major}.${NATS_SERVER_OLDEST.minor} or newer on PATH, or install Go (https://go.dev/dl) so that it can be built`,
};

export const TEMPORAL: ServerRelease = {
  name: 'temporal',
  version: TEMPORAL_VERSION,
  isGoodVersion: (output) => isAtLeast(/\(Server (\d+)\.(\d+)\./.exec(output), TEMPORAL_SERVER_OLDEST),
  downloadUrl: `https://github.com/temporalio/cli/releases/download/v${TEMPORAL_VERSION}`,
  archiveName: ({ os, arch }) => `temporal_cli_${TEMPORAL_VERSION}_${os}_${arch}.tar.gz`,
  checksum: {
    kind: 'pinned',
    sha256ByArchive: {
      'temporal_cli_1.5.1_linux_amd64.tar.gz': 'ddc95e08b0b076efd4ea9733a3f488eb7d2be875f8834e616cd2a37358b4852d',
      'temporal_cli_1.5.1_linux_arm64.tar.gz': 'bd1b0db9f18b051026de8bf6cc1505f2510f14bbb7a8b9a4a91fff46c77454f5',
      'temporal_cli_1.5.1_darwin_amd64.tar.gz': 'bbb73e2a31135abe50a1f1cdb35030c42961df618e8ce9c60ae89f201540c5d9',
      'temporal_cli_1.5.1_darwin_arm64.tar.gz': 'cca01b7ea35ad56e2a328d9ae596bf716bd22313ef63c7a761c88354457c2415',
    },
  },
  goPackage: `github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_VERSION}`,
  remedy: 'put the Temporal CLI 1.5.1 or newer on PATH, or install Go (https://go.dev/dl) so that it can be built',
};

/** The platform in the words of the release archives, or undefined where no release exists for it. */
export function releasePlatform(os: string, arch: string): Platform | undefined {
  if (os !== 'linux' && os !== 'darwin') return undefined;
  if (arch === 'x64') return { os, arch: 'amd64' };
  if (arch === 'arm64') return { os, arch: 'arm64' };
  return undefined;
}

function isAtLeast(match: RegExpExecArray | null, oldest: { readonly major: number; readonly minor: number }): boolean {
  if (match === null) return false;
  const major = Number(match[1]);
  return major === oldest.major && Number(match[2]) >= oldest.minor;
}
