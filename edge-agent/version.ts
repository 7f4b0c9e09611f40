/** What this program calls itself, to the hub and to clients. */
import packageJson from './package.json' with { type: 'json' };

export const SOFTWARE_NAME = 'freshet-agent';
export const SOFTWARE_VERSION = packageJson.version;
