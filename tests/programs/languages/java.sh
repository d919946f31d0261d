# Compiles and runs; exits with the number of arguments.
set -e
PATH=/usr/lib/jvm/java-17-openjdk-amd64/bin:$PATH
java -version 2>&1 | grep -o 'version "17'
javac -d /tmp/classes Main.java
exec java -Xmx512m -cp /tmp/classes Main a b c
