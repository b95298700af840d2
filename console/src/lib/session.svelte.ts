import { readSession, signOut, whenSessionEnds, type Principal } from './api.ts'

/** Who is signed in. Screens ask `canChange` before they show anything that changes something. */
class Session {
  /** Undefined until the server has been asked, null for nobody. */
  principal = $state.raw<Principal | null | undefined>(undefined)

  /** The token where it was pasted into this page; kept in its memory alone, and shown to whoever pasted it. */
  token = $state.raw<string | undefined>(undefined)

  constructor() {
    whenSessionEnds(() => this.end())
  }

  get canChange(): boolean {
    return this.principal?.scope === 'full'
  }

  async load(): Promise<void> {
    try {
      this.principal = await readSession()
    } catch {
      this.principal = null
    }
  }

  begin(principal: Principal, token?: string): void {
    this.principal = principal
    this.token = token
  }

  /** The server no longer knows this session. */
  end(): void {
    this.principal = null
    this.token = undefined
  }

  async signOut(): Promise<void> {
    await signOut()
    this.end()
  }
}

export const session = new Session()
