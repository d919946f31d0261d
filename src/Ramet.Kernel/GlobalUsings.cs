global using Ramet.Abi;
global using ThreadState = Ramet.Kernel.Processes.ThreadState;
