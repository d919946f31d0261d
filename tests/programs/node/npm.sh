# npm: installs a local folder and a packed archive, runs scripts and tests.
set -e
export npm_config_offline=true npm_config_audit=false npm_config_fund=false npm_config_update_notifier=false
cd application
npm install ../package
node -p 'require("greeter").greet("folder")'
npx --no-install greet npx
npm run --silent start
npm test --silent | grep -E '^# (pass|fail)' || npm test
cd ../package
npm pack --silent
mkdir /tmp/other && cd /tmp/other
npm init -y >/dev/null
npm install "$OLDPWD/greeter-1.2.3.tgz"
node -p 'require("greeter/package.json").version'
npm ls --depth=0 | grep greeter
