# image: build
# run: --cpus 2 --memory 2G
# gcc, g++ and make -j: a project of several files, a shared library, threads and exceptions.
mkdir -p src include
echo 'int table(int); int scale(int, int);' > include/all.h
for i in $(seq 1 12); do echo "#include <all.h>
int f$i(int x) { return x * $i; }" > src/f$i.c; done
cat > src/scale.c <<'X'
#include <all.h>
int scale(int a, int b) { return a * b; }
X
cat > src/main.cc <<'X'
#include <cstdio>
#include <iostream>
#include <stdexcept>
#include <thread>
#include <vector>
extern "C" { int f1(int); int f12(int); int scale(int, int); }
int main() {
    std::vector<std::thread> threads;
    int results[4];
    for (int i = 0; i < 4; i++) threads.emplace_back([&results, i] { results[i] = f1(i) + f12(i); });
    for (auto &thread : threads) thread.join();
    try { throw std::runtime_error("thrown and caught"); } catch (const std::exception &e) { std::cout << e.what() << std::endl; }
    printf("%d\n", scale(2, results[0] + results[1] + results[2] + results[3]));
    return 5;
}
X
cat > Makefile <<'X'
OBJECTS = $(patsubst src/f%.c,o/f%.o,$(wildcard src/f*.c)) o/main.o
program: $(OBJECTS) libscale.so
	@g++ -o $@ $(OBJECTS) -L. -lscale -Wl,-rpath,'$$ORIGIN' -pthread
	@echo linked
libscale.so: src/scale.c
	@gcc -Iinclude -shared -fPIC -o $@ $^
o/%.o: src/%.c include/all.h | o
	@gcc -Iinclude -O2 -g -c -o $@ $<
o/main.o: src/main.cc | o
	@g++ -O1 -g -c -o $@ $<
o:
	@mkdir $@
clean:
	@rm -rf o program libscale.so
X
make -j4; ./program; echo "code: $?"
make -q; echo "up to date: $?"; touch src/f3.c; make -n | grep -c gcc; make -j2; make clean; ls
echo 'int main() { return 0; }' > t.c; gcc -static t.c -o static && ./static && echo static; gcc -flto -O2 t.c -o lto && ./lto && echo lto
gcc -x c - -o bad <<< 'int main( {' 2> errors; echo "gcc: $?"; grep -c 'error:' errors
echo 'int main() { *(volatile int *)0 = 1; }' | gcc -x c - -o fault; (./fault) 2> /dev/null; echo "fault: $?"
echo 'int f(); int main() { return f(); }' | gcc -x c - -o unlinked 2>&1 | grep -c 'undefined reference'; ar rcs lib.a 2> /dev/null; nm libscale.so 2> /dev/null; echo "nm: $?"
echo '#include <stdio.h>' | gcc -E - | grep -c 'extern int printf'; gcc -S -O2 -o - t.c | grep -c 'ret'; objdump -d lto | grep -c '<main>:'
#> linked
#> thrown and caught
#> 156
#> code: 5
#> up to date: 0
#> 1
#> linked
#> Makefile
#> include
#> src
#> static
#> lto
#> gcc: 1
#> 1
#> fault: 139
#> 1
#> nm: 1
#> 1
#> 1
#> 1
