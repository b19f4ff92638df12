/** The door of the control room: what can be asked of a daemon, and the server that carries it. Who asks imports client.ts. */
export {
  AskError,
  type AccountStatus,
  type Amount,
  type Approved,
  type Desk,
  type Held,
  type HistoryLine,
  type LoggedOut,
  type LoginAsked,
  type LoginBegun,
  type LoginChecked,
  type LoginDesk,
  type LoginProgress,
  type PageAccess,
  type ParkedLine,
  type PathVerdict,
  type Plan,
  type PlannedTarget,
  type Reloaded,
  type RestoreDesk,
  type Resynced,
  type ResyncRequest,
  type SourceStatus,
  type Status,
  type TargetSpace,
  type TargetStatus,
  type Verdict,
} from './desk.ts'
export type { VerifyDifference, VerifyEvent, VerifyRequest, VerifyTally } from './verify.ts'
export { StatusFeed } from './feed.ts'
export { deskRoutes, serveDesk, type Bindings, type DeskServer } from './server.ts'
export { listenAt } from './socket.ts'
