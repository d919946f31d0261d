module ramet/programs

go 1.19
