/** What this program calls itself. */
import packageJson from './package.json' with { type: 'json' };

export const SOFTWARE_NAME = 'freshet';
export const SOFTWARE_VERSION = packageJson.version;
