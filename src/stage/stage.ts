/** Demand-driven stages: events go only where they were asked for, so that the slowest part sets the pace and nothing piles up. Knows no file and no cloud. */
export { broadcastDispatcher } from './broadcast-dispatcher.ts'
export { consumer, type Consumer, type ConsumerOptions } from './consumer.ts'
export { demandDispatcher, type DemandDispatcherOptions } from './demand-dispatcher.ts'
export { type Dispatcher, type Joining, type Place, type Seat } from './dispatcher.ts'
export { type Keep } from './event-buffer.ts'
export { type HandOut, type HandOutOptions } from './hand-out.ts'
export { type Events, type Made, type Nothing, type Reason } from './life.ts'
export { type DemandMode, type Source } from './outlet.ts'
export { producer, type Producer, type ProducerOptions } from './producer.ts'
export {
  type Peer,
  producerConsumer,
  type ProducerConsumer,
  type ProducerConsumerOptions,
} from './producer-consumer.ts'
export { type Cancel, type SubscribeOptions, type Subscription } from './subscription.ts'
