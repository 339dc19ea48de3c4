/** For other processes on the vehicle: publishing messages to the agent over its local socket. */
export {
  connectPublisher,
  type OpaqueDeclaration,
  type Publisher,
  type PublisherChannel,
  type PublisherOptions,
  type PublisherStatistics,
  type SignalsDeclaration,
} from './publish/publisher.ts';
