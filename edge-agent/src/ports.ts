/** What the stages of the agent need from the world and from each other. */
import type { DsseEnvelope, ReportedState, SourceMessage } from '@fleetloop/schemas';
import type { Inference } from '@fleetloop/schemas/wire';

/** Fetches a blob of a bundle by digest from the cloud. Resumable inside; bytes are checked against the digest. */
export interface BlobFetcher {
  /** @throws FleetError INSTALL_FETCH (retryable), PACKAGE_DIGEST */
  fetch(digest: string, sizeBytesMax: number, signal?: AbortSignal): Promise<Uint8Array>;
}

/** One result of the inference core, active or shadow. */
export type InferenceResult = {
  readonly inference: Inference;
  /** Digest of the bundle manifest that produced it. */
  readonly bundle: string;
  readonly model: string;
  readonly variant: string;
  readonly directorCounter: number;
};

/** Installs what the director names and infers over captured messages. Implemented in install/ and infer/. */
export interface ModelRuntime {
  /** Starts or continues the installation that the director's targets ask for; never throws for bad input: refusals are reported. */
  applyDirector(envelope: DsseEnvelope | null, signal?: AbortSignal): Promise<void>;
  /** Feeds one captured message in log-time order; returns the inferences of the windows that it closed. */
  push(message: SourceMessage, session: string): Promise<readonly InferenceResult[]>;
  /** Ends a session: incomplete windows are dropped, state of the streaming features is cleared. */
  endSession(): Promise<readonly InferenceResult[]>;
  report(): ReportedState['model'];
  readonly deadlineMisses: number;
  /** Called when report() has changed. */
  onChange(listener: () => void): void;
  close(): Promise<void>;
}
