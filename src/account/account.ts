/** The door of the account room: logins at clouds, handshakes to make one, and who looks after them. */
export { Handshakes, type Manner } from './handshake.ts'
export { loginEndpoints } from './cloud-login.ts'
export { CredentialsFolder } from './credentials-folder.ts'
export { LoginKeeper } from './keeper.ts'
export { noticeOf, noticeWords } from './lifetime.ts'
export { Account, type LoginFacts } from './login.ts'
export { listenForAnswer, pasteAddress } from './loopback.ts'
export type { Caller } from './token-call.ts'
